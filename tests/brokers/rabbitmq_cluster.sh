# shellcheck shell=bash disable=SC2034
# Three nodes of RabbitMQ 3.10 that form one cluster: for what only a node that is gone can show. Never part of a plain `up`.

rabbitmq_cluster_need() { rabbitmq_need rabbitmq; }
rabbitmq_cluster_fetch() { :; }
rabbitmq_cluster_logs() { [[ $2 == epmd ]] || printf '%s\n' "$BROKERS_DIR/$1/$2/log/rabbit$2@localhost.log"; }

rabbitmq_cluster_prepare() { # rabbitmq_cluster NODE…
    local broker=$1 node peer; shift
    [[ $# -gt 0 ]] || return 0
    reserve_ports "$broker" epmd {amqp,management,dist}_{1,2,3}
    certs_prepare
    mkdir -p "$BROKERS_DIR/$broker/epmd"
    # What lets the nodes into each other.
    secret "$BROKERS_DIR/$broker/cookie"
    for node; do
        [[ $node != epmd ]] || continue
        mkdir -p "$BROKERS_DIR/$broker/$node"/{data,log,conf.d}
        install -m 400 "$BROKERS_DIR/$broker/cookie" "$BROKERS_DIR/$broker/$node/.erlang.cookie" || die 3 "cannot write to $BROKERS_DIR"
        {
            printf '%s\n' "listeners.tcp.1 = 127.0.0.1:$(port "$broker" "amqp_$node")" 'management.tcp.ip = 127.0.0.1' \
                "management.tcp.port = $(port "$broker" "management_$node")" 'cluster_formation.peer_discovery_backend = classic_config'
            for peer in 1 2 3; do printf '%s\n' "cluster_formation.classic_config.nodes.$peer = rabbit$peer@localhost"; done
        } >"$BROKERS_DIR/$broker/$node/rabbitmq.conf"
        echo '[rabbitmq_management].' >"$BROKERS_DIR/$broker/$node/enabled_plugins"
    done
}

rabbitmq_cluster_launch() { # rabbitmq_cluster NODE
    local dir=$BROKERS_DIR/$1/$2
    if [[ $2 == epmd ]]; then
        launch "$1" epmd epmd -port "$(port "$1" epmd)" -address 127.0.0.1
        return
    fi
    await 10 listens "$(port "$1" epmd)" || give_up "$1" 'epmd does not listen'
    launch "$1" "$2" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 HOME="$dir" detached=1 \
        ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT="$(port "$1" epmd)" \
        RABBITMQ_NODENAME="rabbit$2@localhost" RABBITMQ_DIST_PORT="$(port "$1" "dist_$2")" \
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1}' \
        RABBITMQ_CONF_ENV_FILE=/dev/null RABBITMQ_CONFIG_FILE="$dir/rabbitmq.conf" RABBITMQ_CONFIG_FILES="$dir/conf.d" \
        RABBITMQ_ADVANCED_CONFIG_FILE="$dir/advanced.config" RABBITMQ_ENABLED_PLUGINS_FILE="$dir/enabled_plugins" \
        RABBITMQ_MNESIA_BASE="$dir/data" RABBITMQ_LOG_BASE="$dir/log" "$RABBITMQ_SERVER"
}

# All that were named run, and each that runs sees all the others that run.
rabbitmq_cluster_ready() { # rabbitmq_cluster
    local node told number=0
    for node in 1 2 3; do ! running "$1" "$node" || number=$((number + 1)); done
    for node in 1 2 3; do
        running "$1" "$node" || continue
        told=$(curl -s -m 5 --noproxy '*' -u guest:guest "http://127.0.0.1:$(port "$1" "management_$node")/api/nodes?columns=name,running,disk_free_limit")
        # With its limits: before, it has counted nothing.
        [[ $(grep -o '"disk_free_limit":[0-9]*,"name":"rabbit.@localhost","running":true' <<<"$told" | wc -l) -eq $number ]] ||
            { NOT_YET="node $node does not see $number nodes"; return 1; }
    done
}

rabbitmq_cluster_print() { # rabbitmq_cluster
    local node
    for node in 1 2 3; do
        printf 'RABBITMQ_CLUSTER_%s\n' "AMQP_$node=127.0.0.1:$(port "$1" "amqp_$node")" "MANAGEMENT_$node=http://127.0.0.1:$(port "$1" "management_$node")"
    done
}
