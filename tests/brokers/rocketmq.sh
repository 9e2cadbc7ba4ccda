# shellcheck shell=bash disable=SC2034
# Apache RocketMQ: a name server, a master and its slave.

ROCKETMQ_VERSION=5.3.3
ROCKETMQ_PARTS=(org.apache.rocketmq:rocketmq-{namesrv,broker,tools}:"$ROCKETMQ_VERSION")
ROCKETMQ_JARS=$(jars_dir rocketmq "$ROCKETMQ_VERSION" "${ROCKETMQ_PARTS[*]} $(<"$HERE/LoopbackHAService.java")")

rocketmq_need() {
    want_java
    certs_need
    [[ -d $ROCKETMQ_JARS ]] || want maven command -v mvn
}
rocketmq_fetch() { need_java; fetch_jars "$ROCKETMQ_JARS" rocketmq_loopback "${ROCKETMQ_PARTS[@]}"; }
# By module name, because a JRE brings the compiler but no javac; it does not know "*" in a class path.
rocketmq_loopback() { # JARS
    "$JAVA" -m jdk.compiler/com.sun.tools.javac.Main -proc:none -cp "$(printf '%s:' "$1"/*.jar)" -d "$1/loopback" "$HERE/LoopbackHAService.java" &&
        mkdir -p "$1/loopback/META-INF/service" &&
        echo LoopbackHAService >"$1/loopback/META-INF/service/org.apache.rocketmq.store.ha.HAService"
}

# All that a node says, in one file; without one of our own, the broker's logging set-up also fills stdout with
# words about itself, in every mqadmin command too.
rocketmq_logging() { # LEVEL
    local package=org.apache.rocketmq.logging.ch.qos.logback.core
    cat <<END
<configuration>
  <appender name="OUT" class="$package.ConsoleAppender"><encoder><pattern>%d{HH:mm:ss.SSS} %p %t %logger - %m%n</pattern></encoder></appender>
  <logger name="RocketmqRemoting" level="WARN"/>
  <root level="$1"><appender-ref ref="OUT"/></root>
</configuration>
END
}

rocketmq_java() { # DIRECTORY LEVEL JAVA-OPTION… CLASS ARGUMENT…
    local dir=$1 level=$2; shift 2
    mkdir -p "$dir/tmp"
    rocketmq_logging "$level" >"$dir/logback.xml"
    JAVA_COMMAND=("$JAVA" -XX:+UseSerialGC -XX:-UsePerfData --add-exports=java.base/jdk.internal.ref=ALL-UNNAMED
        --add-opens=java.base/jdk.internal.ref=ALL-UNNAMED --add-opens=java.base/sun.nio.ch=ALL-UNNAMED
        --add-opens=java.base/java.nio=ALL-UNNAMED -Djava.io.tmpdir="$dir/tmp" -Duser.home="$dir" -Drocketmq.home.dir="$dir"
        -Drmq.logback.configurationFile="$dir/logback.xml" -Dtls.server.mode=permissive -Dtls.config.file="$dir/tls.properties"
        -cp "$ROCKETMQ_JARS/loopback:$ROCKETMQ_JARS/*" "$@")
}

# Permissive: who begins with a TLS handshake gets TLS, on the same port as who does not. A certificate that is brought
# must be a good one. Without this file RocketMQ signs itself one; a tool that finds none goes without TLS.
rocketmq_tls() { # DIRECTORY
    cat >"$1/tls.properties" <<END
tls.test.mode.enable=false
tls.server.certPath=$CERTS/server.pem
tls.server.keyPath=$CERTS/server.key
tls.server.need.client.auth=optional
tls.server.authClient=true
tls.server.trustCertPath=$CERTS/ca.pem
END
}
rocketmq_namesrv_conf() { # BROKER DIRECTORY
    printf '%s\n' "listenPort=$(port "$1" namesrv)" bindAddress=127.0.0.1 "kvConfigPath=$2/kvConfig.json"
}
rocketmq_broker_conf() { # BROKER NODE DIRECTORY
    cat <<END
brokerIP1=127.0.0.1
brokerIP2=127.0.0.1
bindAddress=127.0.0.1
listenPort=$(port "$1" "$2")
haListenPort=$(($(port "$1" "$2") - 1))
namesrvAddr=127.0.0.1:$(port "$1" namesrv)
storePathRootDir=$3/store
storePathCommitLog=$3/store/commitlog
flushDiskType=SYNC_FLUSH
# The smallest that is allowed: how long a restarted name server knows nothing.
registerNameServerPeriod=10000
# Half messages: asked about from the second second on, every second (by default 6 s and 30 s), and given up after 5 questions.
transactionTimeOut=1000
transactionCheckInterval=1000
transactionCheckMax=5
# A broker with the defaults wants gigabytes.
mappedFileSizeCommitLog=67108864
mappedFileSizeConsumeQueue=300000
maxHashSlotNum=50000
maxIndexNum=200000
END
}

rocketmq_conf() { # NODE DIRECTORY
    if [[ $1 == namesrv ]]; then
        rocketmq_namesrv_conf rocketmq "$2"
        return
    fi
    rocketmq_broker_conf rocketmq "$1" "$2"
    cat <<END
brokerClusterName=mqsafe
brokerName=broker-a
# Since 5.0 SYNC_MASTER alone waits for nobody: with both, an acknowledgement means two copies, and a slave
# that is dead or held gives the weak send statuses that tests ask for.
inSyncReplicas=2
END
    if [[ $1 == master ]]; then
        printf '%s\n' brokerId=0 brokerRole=SYNC_MASTER
    else
        # Asked for at the name server, the address of a master that starts at the same time costs up to 20 s.
        printf '%s\n' brokerId=1 brokerRole=SLAVE "haMasterAddress=127.0.0.1:$(($(port rocketmq master) - 1))"
    fi
}

rocketmq_prepare() { # rocketmq NODE…
    local node dir; shift
    reserve_ports rocketmq namesrv master slave "${WRONG[@]}"
    certs_prepare
    for node; do
        [[ $node != proxy ]] || continue
        dir=$BROKERS_DIR/rocketmq/$node
        mkdir -p "$dir"
        rocketmq_tls "$dir"
        rocketmq_conf "$node" "$dir" | overlaid rocketmq "$node" >"$dir/$node.conf"
    done
}

rocketmq_launch() { # BROKER NODE
    local dir=$BROKERS_DIR/$1/$2
    if [[ $2 == proxy ]]; then
        proxy_launch "$1" namesrv
        return
    fi
    if [[ $2 == namesrv ]]; then
        rocketmq_java "$dir" INFO -Xmx256m org.apache.rocketmq.namesrv.NamesrvStartup -c "$dir/$2.conf"
    else
        rocketmq_java "$dir" INFO -Xmx512m -XX:MaxDirectMemorySize=512m org.apache.rocketmq.broker.BrokerStartup -c "$dir/$2.conf"
    fi
    launch "$1" "$2" "${JAVA_COMMAND[@]}"
}

# One remoting request without a body, so that waiting costs no JVM; the answer's bytes on stdout.
rocketmq_ask() { # BROKER NODE CODE
    local header="{\"code\":$3,\"flag\":0,\"language\":\"JAVA\",\"opaque\":1,\"version\":0}" length
    (
        exec 3<>"/dev/tcp/127.0.0.1/$(port "$1" "$2")" || exit 1
        # shellcheck disable=SC2059 # the format is the frame
        printf "\\0\\0\\0\\x$(printf %02x $((${#header} + 4)))\\0\\0\\0\\x$(printf %02x ${#header})%s" "$header" >&3
        length=$(timeout 3 head -c 4 <&3 | od -An -tu1 | awk '{print (($1 * 256 + $2) * 256 + $3) * 256 + $4}')
        timeout 3 head -c "$length" <&3 | tr -d '\0'
    ) 2>/dev/null
}

# 106: who is registered; 907: who replicates. A registered slave whose replication is not yet connected
# would make the first send of a test fail.
rocketmq_ready() {
    local node answer live=()
    for node in namesrv master slave; do
        running rocketmq "$node" || continue
        listens "$(port rocketmq "$node")" || { NOT_YET="$node does not listen"; return 1; }
        [[ $node == namesrv ]] || live+=("$node")
    done
    proxy_ready rocketmq || return 1
    if ! running rocketmq namesrv; then
        ANSWER='listens, but registration is not waited for (the name server does not run)'
        return 0
    fi
    answer=$(rocketmq_ask rocketmq namesrv 106)
    [[ $answer == *'"code":0'* ]] || { NOT_YET='the name server does not answer'; return 1; }
    for node in "${live[@]}"; do
        [[ $answer == *"\"127.0.0.1:$(port rocketmq "$node")\""* ]] || { NOT_YET="$node is not registered at the name server"; return 1; }
    done
    [[ ${#live[@]} -eq 2 ]] || return 0
    [[ $(rocketmq_ask rocketmq master 907) == *'"inSyncSlaveNums":1'* ]] || { NOT_YET='the slave does not replicate'; return 1; }
}

rocketmq_logs() { :; }

rocketmq_print() {
    local node
    for node in ${NODES[rocketmq]}; do
        printf 'ROCKETMQ_%s=127.0.0.1:%s\n' "${node^^}" "$(port rocketmq "$node")"
        printf 'ROCKETMQ_OUT_%s=%s\n' "${node^^}" "$BROKERS_DIR/rocketmq/$node/out.log"
    done
    printf 'ROCKETMQ_CLUSTER=mqsafe\nROCKETMQ_BROKER=broker-a\nROCKETMQ_JARS=%s\nROCKETMQ_TLS=permissive\n' "$ROCKETMQ_JARS"
    proxy_print rocketmq ROCKETMQ_TLS
}
