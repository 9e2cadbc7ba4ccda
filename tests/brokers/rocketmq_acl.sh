# shellcheck shell=bash disable=SC2034
# A RocketMQ broker that knows its users (ACL 2.0), with a name server of its own, so that no route of the other
# broker's topics leads here. It refuses who says no name, which the plain one must not.

# All rights; publish and subscribe on "allowed-…"; none. "admin" makes them, "inner" is the broker's own name.
ROCKETMQ_ACL_USERS=(alice few nobody)

rocketmq_acl_need() { rocketmq_need; }
rocketmq_acl_fetch() { rocketmq_fetch; }
rocketmq_acl_logs() { :; }
rocketmq_acl_launch() { rocketmq_launch "$@"; }
rocketmq_acl_secret() { printf %s "$BROKERS_DIR/rocketmq_acl/secrets/$1"; }

rocketmq_acl_conf() { # DIRECTORY
    local package=org.apache.rocketmq.auth
    rocketmq_broker_conf rocketmq_acl broker "$1"
    cat <<END
brokerClusterName=mqsafe-acl
brokerName=broker-acl
brokerId=0
brokerRole=SYNC_MASTER
inSyncReplicas=1
authenticationEnabled=true
authenticationProvider=$package.authentication.provider.DefaultAuthenticationProvider
authenticationMetadataProvider=$package.authentication.provider.LocalAuthenticationMetadataProvider
initAuthenticationUser={"username":"admin","password":"$(<"$(rocketmq_acl_secret admin)")"}
innerClientAuthenticationCredentials={"accessKey":"inner","secretKey":"$(<"$(rocketmq_acl_secret inner)")"}
authorizationEnabled=true
authorizationProvider=$package.authorization.provider.DefaultAuthorizationProvider
authorizationMetadataProvider=$package.authorization.provider.LocalAuthorizationMetadataProvider
END
}

rocketmq_acl_prepare() { # rocketmq_acl NODE…
    local node dir user; shift
    reserve_ports rocketmq_acl namesrv broker
    certs_prepare
    for user in admin inner "${ROCKETMQ_ACL_USERS[@]}"; do
        secret "$(rocketmq_acl_secret "$user")"
        # As mqadmin reads it: conf/tools.yml.
        (
            umask 077
            mkdir -p "$BROKERS_DIR/rocketmq_acl/clients" &&
                printf 'accessKey: "%s"\nsecretKey: "%s"\n' "$user" "$(<"$(rocketmq_acl_secret "$user")")" >"$BROKERS_DIR/rocketmq_acl/clients/$user.yml"
        ) || die 3 "cannot write to $BROKERS_DIR/rocketmq_acl"
    done
    for node; do
        dir=$BROKERS_DIR/rocketmq_acl/$node
        mkdir -p "$dir"
        rocketmq_tls "$dir"
        (
            umask 077
            if [[ $node == namesrv ]]; then rocketmq_namesrv_conf rocketmq_acl "$dir"; else rocketmq_acl_conf "$dir"; fi >"$dir/$node.conf"
        )
    done
}

rocketmq_acl_ready() {
    local node
    for node in namesrv broker; do
        running rocketmq_acl "$node" || continue
        listens "$(port rocketmq_acl "$node")" || { NOT_YET="$node does not listen"; return 1; }
    done
    if ! running rocketmq_acl namesrv || ! running rocketmq_acl broker; then
        ANSWER='listens, but registration is not waited for (not both nodes run)'
        return 0
    fi
    [[ $(rocketmq_ask rocketmq_acl namesrv 106) == *"\"127.0.0.1:$(port rocketmq_acl broker)\""* ]] ||
        { NOT_YET='the broker is not registered at the name server'; return 1; }
    node=$(rocketmq_acl_users 2>&1) || { NOT_YET="users cannot be made: $node"; return 1; }
}
rocketmq_acl_call() { # CODE FIELD=VALUE…
    "$PYTHON" "$HERE/signed-call" "127.0.0.1:$(port rocketmq_acl broker)" admin "$(rocketmq_acl_secret admin)" "$@"
}
# 3001: make a user, 3006: give it rights. A user that a killed script had made already is made anew: 3003 removes.
rocketmq_acl_users() {
    local user type mark=$BROKERS_DIR/rocketmq_acl/users
    [[ ! -e $mark ]] || return 0
    for user in "${ROCKETMQ_ACL_USERS[@]}"; do
        type=Normal
        [[ $user != alice ]] || type=Super
        rocketmq_acl_call 3003 "username=$user" </dev/null || return 1
        rocketmq_acl_call 3001 "username=$user" <<<"{\"password\":\"$(<"$(rocketmq_acl_secret "$user")")\",\"userType\":\"$type\"}" || return 1
    done
    rocketmq_acl_call 3006 subject=User:few <<<'{"subject":"User:few","policies":[{"policyType":"Custom","entries":[
        {"resource":"Topic:allowed-*","actions":["Pub","Sub"],"decision":"Allow"},
        {"resource":"Group:allowed-*","actions":["Sub"],"decision":"Allow"}]}]}' && : >"$mark"
}

rocketmq_acl_print() {
    local user
    printf 'ROCKETMQ_ACL_%s\n' "NAMESRV=127.0.0.1:$(port rocketmq_acl namesrv)" "BROKER_ADDR=127.0.0.1:$(port rocketmq_acl broker)" \
        CLUSTER=mqsafe-acl BROKER=broker-acl "OUT_NAMESRV=$BROKERS_DIR/rocketmq_acl/namesrv/out.log" \
        "OUT_BROKER=$BROKERS_DIR/rocketmq_acl/broker/out.log" "CLIENTS_DIR=$BROKERS_DIR/rocketmq_acl/clients"
    for user in admin "${ROCKETMQ_ACL_USERS[@]}"; do
        printf 'ROCKETMQ_ACL_%s_ACCESS_KEY=%s\nROCKETMQ_ACL_%s_SECRET_FILE=%s\n' "${user^^}" "$user" "${user^^}" "$(rocketmq_acl_secret "$user")"
    done
}
