# shellcheck shell=bash disable=SC2034
# Apache Kafka, KRaft: three nodes that are broker and controller at once.

KAFKA_VERSION=4.1.0
# slf4j-simple: without a binding a node that dies at start says nothing.
KAFKA_PARTS=("org.apache.kafka:kafka_2.13:$KAFKA_VERSION" "org.apache.kafka:kafka-tools:$KAFKA_VERSION" org.slf4j:slf4j-simple:1.7.36)
KAFKA_JARS=$(jars_dir kafka "$KAFKA_VERSION" "${KAFKA_PARTS[*]}")

kafka_need() {
    want_java
    want kcat command -v kcat
    [[ -d $KAFKA_JARS ]] || want maven command -v mvn
}
kafka_fetch() { need_java; fetch_jars "$KAFKA_JARS" true "${KAFKA_PARTS[@]}"; }

kafka_java() { # DIRECTORY JAVA-OPTION… CLASS ARGUMENT…
    local dir=$1; shift
    mkdir -p "$dir/tmp"
    JAVA_COMMAND=("$JAVA" -XX:+UseSerialGC -XX:-UsePerfData -Djava.io.tmpdir="$dir/tmp"
        -Dorg.slf4j.simpleLogger.showDateTime=true '-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss,SSS'
        -cp "$KAFKA_JARS/*" "$@")
}

kafka_properties() { # NODE DIRECTORY
    local n voters=
    for n in ${NODES[kafka]}; do voters+=,$n@127.0.0.1:$(port kafka "controller$n"); done
    cat <<END
process.roles=broker,controller
node.id=$1
controller.quorum.voters=${voters#,}
listeners=PLAINTEXT://127.0.0.1:$(port kafka "broker$1"),CONTROLLER://127.0.0.1:$(port kafka "controller$1")
advertised.listeners=PLAINTEXT://127.0.0.1:$(port kafka "broker$1")
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs=$2/data
# On purpose: tests prove that the tool creates no topic by accident where a broker would let it.
auto.create.topics.enable=true
num.partitions=3
default.replication.factor=3
min.insync.replicas=2
unclean.leader.election.enable=false
replica.lag.time.max.ms=10000
group.initial.rebalance.delay.ms=0
offsets.topic.replication.factor=3
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
share.coordinator.state.topic.replication.factor=3
share.coordinator.state.topic.min.isr=2
# Fewer than by default: a first consumer otherwise waits for 50 partitions on three nodes.
offsets.topic.num.partitions=6
transaction.state.log.num.partitions=6
share.coordinator.state.topic.num.partitions=6
# The default takes a quarter of the heap.
log.cleaner.dedupe.buffer.size=16777216
END
}

kafka_prepare() { # kafka NODE…
    local node dir id formatting=(); shift
    reserve_ports kafka broker1 broker2 broker3 controller1 controller2 controller3
    if [[ ! -e $BROKERS_DIR/kafka/cluster-id ]]; then
        # A leading "-" would be taken for an option.
        until [[ ${id:--} != -* ]]; do id=$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d =); done
        replace "$BROKERS_DIR/kafka/cluster-id" "$id"
    fi
    id=$(<"$BROKERS_DIR/kafka/cluster-id")
    for node; do
        dir=$BROKERS_DIR/kafka/$node
        mkdir -p "$dir"
        kafka_properties "$node" "$dir" >"$dir/node.properties"
        [[ ! -e $dir/formatted ]] || continue
        # Without the mark, data is what an interrupted format left.
        rm -rf "$dir/data"
        kafka_java "$dir" -XX:TieredStopAtLevel=1 kafka.tools.StorageTool format -t "$id" -c "$dir/node.properties"
        ("${JAVA_COMMAND[@]}" >>"$dir/out.log" 2>&1 </dev/null && : >"$dir/formatted") &
        formatting+=($!)
    done
    # Not a bare wait: the other brokers are children of this shell too.
    [[ ${#formatting[@]} -eq 0 ]] || wait "${formatting[@]}"
    for node; do
        [[ -e $BROKERS_DIR/kafka/$node/formatted ]] || give_up kafka "node $node could not be formatted"
    done
}

kafka_launch() { # kafka NODE
    local dir=$BROKERS_DIR/kafka/$2
    kafka_java "$dir" -Xmx512m kafka.Kafka "$dir/node.properties"
    launch kafka "$2" "${JAVA_COMMAND[@]}"
}

# Each running node, asked itself, must know all running nodes: an old registration of a node that was
# killed and started again within the session time-out is no answer.
kafka_ready() {
    local node other live=() answer
    for node in ${NODES[kafka]}; do ! running kafka "$node" || live+=("$node"); done
    if [[ ${#live[@]} -lt 2 ]]; then
        ANSWER='is not waited for (one node of three is no quorum)'
        return 0
    fi
    for node in "${live[@]}"; do listens "$(port kafka "broker$node")" || { NOT_YET="node $node does not listen"; return 1; }; done
    for node in "${live[@]}"; do
        answer=$(timeout 5 kcat -L -m 3 -b "127.0.0.1:$(port kafka "broker$node")" 2>/dev/null)
        for other in "${live[@]}"; do
            [[ $answer == *"broker $other at "* ]] || { NOT_YET="node $node does not know node $other"; return 1; }
        done
    done
}

kafka_logs() { :; }

kafka_print() {
    local n bootstrap=
    for n in ${NODES[kafka]}; do bootstrap+=,127.0.0.1:$(port kafka "broker$n"); done
    printf 'KAFKA_BOOTSTRAP=%s\n' "${bootstrap#,}"
    for n in ${NODES[kafka]}; do
        printf 'KAFKA_%s=127.0.0.1:%s\n' "$n" "$(port kafka "broker$n")"
        printf 'KAFKA_LOGS_%s=%s\n' "$n" "$BROKERS_DIR/kafka/$n/data"
        printf 'KAFKA_OUT_%s=%s\n' "$n" "$BROKERS_DIR/kafka/$n/out.log"
    done
    printf 'KAFKA_JARS=%s\n' "$KAFKA_JARS"
}
