# shellcheck shell=bash disable=SC2034
# RabbitMQ: Debian's 3.10 as it is installed ("rabbitmq"), and 4 in a Debian tree of its own ("rabbitmq4").

RABBITMQ_SERVER=/usr/lib/rabbitmq/bin/rabbitmq-server
RABBITMQ4_TREE=$CACHE/trees/trixie-rabbitmq

PERF_TEST_VERSION=2.22.1
PERF_TEST_PARTS=("com.rabbitmq:perf-test:$PERF_TEST_VERSION")
PERF_TEST_JARS=$(jars_dir perf-test "$PERF_TEST_VERSION" "${PERF_TEST_PARTS[*]}")
perf_test_fetch() { need_java; fetch_jars "$PERF_TEST_JARS" true "${PERF_TEST_PARTS[@]}"; }

rabbitmq_need() { # BROKER
    want curl command -v curl
    certs_need
    if [[ $1 == rabbitmq ]]; then
        want rabbitmq-server test -x "$RABBITMQ_SERVER"
        return
    fi
    [[ $UID -eq 0 ]] || die 3 'rabbitmq4 runs in a Debian tree by chroot: that needs root'
    unshare --mount true 2>/dev/null || die 3 'rabbitmq4 needs a mount namespace, which this root is not allowed'
    [[ -d $RABBITMQ4_TREE ]] || { want debootstrap command -v debootstrap; want debian-archive-keyring test -e /usr/share/keyrings/debian-archive-keyring.gpg; }
}

rabbitmq_fetch() { # BROKER
    [[ $1 == rabbitmq4 && ! -d $RABBITMQ4_TREE ]] || return 0
    local new parent=${RABBITMQ4_TREE%/*}
    hold "$parent/lock" 1800
    if [[ ! -d $RABBITMQ4_TREE ]]; then
        say "making a Debian tree with RabbitMQ 4 in $RABBITMQ4_TREE"
        rm -rf --one-file-system "$parent"/new.*
        new=$(mktemp -d "$parent/new.XXXXXX") || die 3 "cannot write to $parent"
        # In a mount namespace, so that what it mounts never outlives it.
        # shellcheck disable=SC2046 # no mirror is no argument
        unshare --mount --propagation private debootstrap --variant=minbase --include=rabbitmq-server trixie "$new/tree" $(debian_mirror) >"$new/log" 2>&1 </dev/null ||
            { tail -n 20 "$new/log" >&2; die 3 'debootstrap failed'; }
        echo '127.0.0.1 localhost' >"$new/tree/etc/hosts"
        mkdir -p "$new/tree/mqsafe"
        mv "$new/tree" "$RABBITMQ4_TREE" && rm -rf "$new"
    fi
    release
}
# The mirror that this machine's apt uses, where it is a Debian: it may be the only one it reaches.
debian_mirror() {
    # shellcheck disable=SC2016 # names that apt fills in
    apt-get indextargets --format '$(SITE) $(ORIGIN) $(RELEASE)' 2>/dev/null |
        awk '$2 == "Debian" && $3 !~ /-/ {print $1; exit}'
}

# Paths as the server sees them: the tree of RabbitMQ 4 gets the broker's directory mounted, in a mount
# namespace that ends with the process.
rabbitmq_root() { if [[ $1 == rabbitmq4 ]]; then printf /mqsafe; else printf %s "$BROKERS_DIR/$1"; fi; }
rabbitmq_enter() { # BROKER -> ENTER
    ENTER=()
    [[ $1 == rabbitmq4 ]] || return 0
    # shellcheck disable=SC2016 # expanded by the inner shell
    ENTER=(unshare --mount --propagation private sh -c
        'mount --bind "$1" "$2/mqsafe" && mount -t proc proc "$2/proc" && tree=$2 && shift 2 && exec chroot "$tree" "$@"'
        enter "$BROKERS_DIR/$1" "$RABBITMQ4_TREE")
}

rabbitmq_prepare() { # BROKER NODE…
    local broker=$1 dir=$BROKERS_DIR/$1 root user name
    [[ $# -gt 1 ]] || return 0
    reserve_ports "$broker" amqp amqps management management_tls stream dist epmd "${WRONG[@]}"
    certs_prepare
    mkdir -p "$dir"/{epmd,server/{data,log,conf.d,certs}}
    root=$(rabbitmq_root "$broker")
    # Copies, because RabbitMQ 4 sees no directory but its own.
    cp -p "$CERTS"/{ca,server}.pem "$CERTS/server.key" "$dir/server/certs" || die 3 "cannot write to $dir"
    for user in few nobody; do secret "$dir/secrets/$user"; done
    cat >"$dir/server/rabbitmq.conf" <<END
listeners.tcp.1 = 127.0.0.1:$(port "$broker" amqp)
management.tcp.ip = 127.0.0.1
management.tcp.port = $(port "$broker" management)
stream.listeners.tcp.1 = 127.0.0.1:$(port "$broker" stream)
stream.advertised_host = 127.0.0.1
stream.advertised_port = $(port "$broker" stream)
listeners.ssl.1 = 127.0.0.1:$(port "$broker" amqps)
management.ssl.ip = 127.0.0.1
management.ssl.port = $(port "$broker" management_tls)
# Who brings a certificate must bring a good one; who brings none has a password.
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = false
auth_mechanisms.1 = PLAIN
auth_mechanisms.2 = AMQPLAIN
auth_mechanisms.3 = EXTERNAL
ssl_cert_login_from = common_name
END
    for name in ssl_options management.ssl; do
        printf '%s\n' "$name.cacertfile = $root/server/certs/ca.pem" "$name.certfile = $root/server/certs/server.pem" \
            "$name.keyfile = $root/server/certs/server.key"
    done >>"$dir/server/rabbitmq.conf"
    echo '[rabbitmq_management,rabbitmq_stream,rabbitmq_stream_management,rabbitmq_auth_mechanism_ssl].' >"$dir/server/enabled_plugins"
}

rabbitmq_launch() { # BROKER NODE
    local broker=$1 root ENTER
    root=$(rabbitmq_root "$broker")
    if [[ $2 == proxy ]]; then
        proxy_launch "$broker" amqp
        return
    fi
    rabbitmq_enter "$broker"
    if [[ $2 == epmd ]]; then
        # On a port of its own: the one that Erlang starts by itself is shared with every Erlang on the machine.
        launch "$broker" epmd "${ENTER[@]}" epmd -port "$(port "$broker" epmd)" -address 127.0.0.1
        return
    fi
    await 10 listens "$(port "$broker" epmd)" || give_up "$broker" 'epmd does not listen'
    # A clean environment: the server reads every RABBITMQ_ variable, also those that we print for tests.
    # "detached" makes its script become the Erlang machine, so that the recorded pid is the server's.
    launch "$broker" "$2" "${ENTER[@]}" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 HOME="$root/server" detached=1 \
        ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT="$(port "$broker" epmd)" \
        RABBITMQ_NODENAME="$broker@localhost" RABBITMQ_DIST_PORT="$(port "$broker" dist)" \
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1}' \
        RABBITMQ_CONF_ENV_FILE=/dev/null RABBITMQ_CONFIG_FILE="$root/server/rabbitmq.conf" \
        RABBITMQ_CONFIG_FILES="$root/server/conf.d" RABBITMQ_ADVANCED_CONFIG_FILE="$root/server/advanced.config" \
        RABBITMQ_ENABLED_PLUGINS_FILE="$root/server/enabled_plugins" \
        RABBITMQ_MNESIA_BASE="$root/server/data" RABBITMQ_LOG_BASE="$root/server/log" "$RABBITMQ_SERVER"
}

rabbitmq_http() { # BROKER METHOD PATH [BODY]: the status code on stdout
    curl -s -o /dev/null -m 5 -w '%{http_code}' --noproxy '*' -u guest:guest -X "$2" -H 'content-type: application/json' \
        ${4:+-d "$4"} "http://127.0.0.1:$(port "$1" management)$3"
}
rabbitmq_ready() { # BROKER
    local code name
    code=$(rabbitmq_http "$1" PUT /api/queues/%2F/mqsafe-brokers-probe '{"durable":true}')
    [[ $code == 20? ]] || { NOT_YET="declaring a queue answers $code"; return 1; }
    code=$(rabbitmq_http "$1" DELETE /api/queues/%2F/mqsafe-brokers-probe)
    [[ $code == 20? ]] || { NOT_YET="deleting a queue answers $code"; return 1; }
    # Asked of the server, because its HTTP answers before its ports are open, or found to be a stranger's.
    for name in amqp amqps stream management_tls; do
        code=$(rabbitmq_http "$1" GET "/api/health/checks/port-listener/$(port "$1" "$name")")
        [[ $code == 200 ]] || { NOT_YET="it does not listen for $name ($code)"; return 1; }
    done
    proxy_ready "$1" || return 1
    rabbitmq_users "$1" || { NOT_YET='users cannot be made'; return 1; }
    rabbitmq_streams "$1" || { NOT_YET='the coordinator of the streams is not on disk'; return 1; }
}
# The first stream starts the coordinator of all streams, whose name reaches the disk up to two seconds later (Ra keeps
# it in a dets file with a timer). A server that is killed before that comes back without any stream that it has.
rabbitmq_streams() { # BROKER
    local names=$BROKERS_DIR/$1/server/data/$1@localhost/coordination/$1@localhost/names.dets
    ! grep -aqs rabbit_stream_coordinator "$names" || return 0
    rabbitmq_http "$1" PUT /api/queues/%2F/mqsafe-brokers-stream '{"durable":true,"arguments":{"x-queue-type":"stream"}}' >/dev/null
    return 1
}
# few may use what begins with "allowed-" and declare nothing, nobody may not enter; both come by password.
# mqsafe-client has no password: only a certificate with this name lets it in.
rabbitmq_users() { # BROKER
    local user dir=$BROKERS_DIR/$1
    [[ ! -e $dir/users ]] || return 0
    for user in few nobody; do
        # On stdin, because every user of the machine may read arguments.
        [[ $(rabbitmq_http "$1" PUT "/api/users/$user" @- <<<"{\"password\":\"$(<"$dir/secrets/$user")\",\"tags\":\"\"}") == 20? ]] || return 1
    done
    [[ $(rabbitmq_http "$1" PUT /api/users/mqsafe-client '{"password_hash":"","tags":""}') == 20? &&
        $(rabbitmq_http "$1" PUT /api/permissions/%2F/mqsafe-client '{"configure":".*","write":".*","read":".*"}') == 20? &&
        $(rabbitmq_http "$1" PUT /api/permissions/%2F/few '{"configure":"","write":"^allowed-.*","read":"^allowed-.*"}') == 20? ]] &&
        : >"$dir/users"
}

rabbitmq_logs() { [[ $2 != server ]] || printf '%s\n' "$BROKERS_DIR/$1/server/log/$1@localhost.log"; }

rabbitmq_print() { # BROKER
    local name=${1^^}
    printf '%s\n' "${name}_AMQP=127.0.0.1:$(port "$1" amqp)" "${name}_MANAGEMENT=http://127.0.0.1:$(port "$1" management)" \
        "${name}_STREAM=127.0.0.1:$(port "$1" stream)" "${name}_USER=guest" "${name}_PASSWORD=guest" \
        "${name}_LOGS=$BROKERS_DIR/$1/server/log" "${name}_AMQPS=127.0.0.1:$(port "$1" amqps)" \
        "${name}_MANAGEMENT_TLS=https://127.0.0.1:$(port "$1" management_tls)" \
        "${name}_FEW_PASSWORD_FILE=$BROKERS_DIR/$1/secrets/few" "${name}_NOBODY_PASSWORD_FILE=$BROKERS_DIR/$1/secrets/nobody"
    proxy_print "$1" "${name}_AMQPS"
}
