# shellcheck shell=bash disable=SC2034
# Apache Kafka, KRaft: three nodes that are broker and controller at once.

KAFKA_VERSION=${MQSAFE_KAFKA_VERSION:-4.1.0}
# slf4j-simple: without a binding a node that dies at start says nothing.
KAFKA_PARTS=("org.apache.kafka:kafka_2.13:$KAFKA_VERSION" "org.apache.kafka:kafka-tools:$KAFKA_VERSION" org.slf4j:slf4j-simple:1.7.36)
KAFKA_JARS=$(jars_dir kafka "$KAFKA_VERSION" "${KAFKA_PARTS[*]}")

# Listeners beside the plain one, each with its protocol; the last three present certificates that a client must refuse.
declare -A KAFKA_SECURED=([sasl_ssl]=SASL_SSL [ssl]=SSL [sasl_plaintext]=SASL_PLAINTEXT)
declare -A KAFKA_WRONG=([ssl_expired]=server-expired [ssl_foreign]=server-foreign [ssl_wrong_host]=server-wrong-host)
# alice may do everything, reader and auditor what kafka_acls says, nobody nothing.
KAFKA_USERS=(alice reader auditor nobody)
# The tool that gives rights moved with 4.0.
KAFKA_ACL_TOOL=org.apache.kafka.tools.AclCommand
[[ $KAFKA_VERSION != [23].* ]] || KAFKA_ACL_TOOL=kafka.admin.AclCommand

KAFKA_ALLOWED=org.apache.kafka.sasl.oauthbearer.allowed.urls
kafka_token_url() { printf 'http://127.0.0.1:%s/token' "$(port kafka oidc)"; }

kafka_need() {
    want_java
    certs_need
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

kafka_secret() { printf %s "$BROKERS_DIR/kafka/secrets/$1"; }
kafka_module() { printf 'org.apache.kafka.common.security.%s required' "$1"; }
kafka_list() { # LISTENER: all three nodes
    local n list=
    for n in ${NODES[kafka]}; do list+=,127.0.0.1:$(port kafka "$1$n"); done
    printf %s "${list#,}"
}

kafka_properties() { # NODE DIRECTORY
    local n name user voters='' listeners='' advertised='' protocols=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT passwords=''
    for n in ${NODES[kafka]}; do voters+=,$n@127.0.0.1:$(port kafka "controller$n"); done
    for name in "${!KAFKA_SECURED[@]}"; do
        listeners+=,${name^^}://127.0.0.1:$(port kafka "$name$1")
        protocols+=,${name^^}:${KAFKA_SECURED[$name]}
    done
    for name in "${!KAFKA_WRONG[@]}"; do
        [[ $1 -ne 1 ]] || listeners+=,${name^^}://127.0.0.1:$(port kafka "$name")
        protocols+=,${name^^}:SASL_SSL
    done
    for user in "${KAFKA_USERS[@]}"; do passwords+=" user_$user=\"$(<"$(kafka_secret "$user")")\""; done
    advertised=PLAINTEXT://127.0.0.1:$(port kafka "broker$1")$listeners
    cat <<END
process.roles=broker,controller
node.id=$1
controller.quorum.voters=${voters#,}
listeners=$advertised,CONTROLLER://127.0.0.1:$(port kafka "controller$1")
advertised.listeners=$advertised
listener.security.protocol.map=$protocols
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
# The plain listeners, the brokers' own among them, know no names: whoever comes there may do everything, as before.
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:alice;User:CN=mqsafe-client;User:oauth-client
allow.everyone.if.no.acl.found=false
ssl.keystore.type=PEM
ssl.keystore.location=$CERTS/server-bundle.pem
ssl.truststore.type=PEM
ssl.truststore.location=$CERTS/ca.pem
listener.name.ssl.ssl.client.auth=required
sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl_ssl.sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512,PLAIN,OAUTHBEARER
listener.name.sasl_ssl.oauthbearer.sasl.jaas.config=$(kafka_module oauthbearer.OAuthBearerLoginModule);
listener.name.sasl_ssl.oauthbearer.sasl.server.callback.handler.class=org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler
# From a file, so that no broker waits for the token endpoint.
sasl.oauthbearer.jwks.endpoint.url=file://$BROKERS_DIR/kafka/oidc/jwks.json
sasl.oauthbearer.expected.audience=kafka
sasl.oauthbearer.expected.issuer=mqsafe-test-issuer
listener.name.sasl_ssl.plain.sasl.jaas.config=$(kafka_module plain.PlainLoginModule)$passwords;
END
    for name in sasl_ssl sasl_plaintext "${!KAFKA_WRONG[@]}"; do
        for n in 256 512; do
            echo "listener.name.$name.scram-sha-$n.sasl.jaas.config=$(kafka_module scram.ScramLoginModule);"
        done
    done
    for name in "${!KAFKA_WRONG[@]}"; do
        printf '%s\n' "listener.name.$name.ssl.keystore.type=PEM" "listener.name.$name.ssl.keystore.location=$CERTS/${KAFKA_WRONG[$name]}-bundle.pem"
    done
    cat <<END
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
# The default looks for something to clean every 15 s, and a test waits for it.
log.cleaner.backoff.ms=1000
END
    # Of two values the last counts.
    [[ -z ${MQSAFE_KAFKA_EXTRA:-} ]] || sed "s/@NODE@/$1/g" "$MQSAFE_KAFKA_EXTRA" || die 3 "cannot read $MQSAFE_KAFKA_EXTRA"
}

# What the console tools take as --command-config and the like. Written anew each time, because they hold ports.
kafka_client() { # NAME LISTENER LINE…
    local trust
    case $1 in
        *-jks) trust=jks ;;
        *-p12) trust=p12 ;;
        *) trust=pem ;;
    esac
    {
        printf '%s\n' "bootstrap.servers=$(kafka_list "$2")" "security.protocol=${KAFKA_SECURED[$2]}" "${@:3}"
        if [[ $2 == sasl_plaintext ]]; then
            :
        elif [[ $trust == pem ]]; then
            printf '%s\n' ssl.truststore.type=PEM "ssl.truststore.location=$CERTS/ca.pem"
        else
            printf '%s\n' "ssl.truststore.type=$(kafka_store $trust)" "ssl.truststore.location=$CERTS/truststore.$trust" \
                "ssl.truststore.password=$(<"$CERTS/password")"
        fi
    } >"$BROKERS_DIR/kafka/clients/$1.properties"
}
kafka_store() { if [[ $1 == p12 ]]; then printf PKCS12; else printf JKS; fi; }
kafka_login() { # MECHANISM MODULE USER
    printf '%s\n' "sasl.mechanism=$1" "sasl.jaas.config=$(kafka_module "$2") username=\"$3\" password=\"$(<"$(kafka_secret "$3")")\";"
}
kafka_clients() (
    umask 077
    mkdir -p "$BROKERS_DIR/kafka/clients" && cd "$BROKERS_DIR/kafka/clients" || exit 1
    kafka_client scram512 sasl_ssl "$(kafka_login SCRAM-SHA-512 scram.ScramLoginModule alice)"
    kafka_client scram256-jks sasl_ssl "$(kafka_login SCRAM-SHA-256 scram.ScramLoginModule alice)"
    kafka_client plain-p12 sasl_ssl "$(kafka_login PLAIN plain.PlainLoginModule alice)"
    kafka_client reader sasl_ssl "$(kafka_login SCRAM-SHA-512 scram.ScramLoginModule reader)"
    kafka_client auditor sasl_ssl "$(kafka_login SCRAM-SHA-512 scram.ScramLoginModule auditor)"
    kafka_client nobody sasl_ssl "$(kafka_login SCRAM-SHA-512 scram.ScramLoginModule nobody)"
    oauth=org.apache.kafka.common.security.oauthbearer.OAuthBearer
    kafka_client oauth sasl_ssl sasl.mechanism=OAUTHBEARER "sasl.login.callback.handler.class=${oauth}LoginCallbackHandler" \
        "sasl.oauthbearer.token.endpoint.url=$(kafka_token_url)" \
        "sasl.jaas.config=${oauth}LoginModule required clientId=\"mqsafe\" clientSecret=\"$(<"$BROKERS_DIR/kafka/oidc/secret")\";"
    kafka_client sasl-plaintext sasl_plaintext "$(kafka_login SCRAM-SHA-512 scram.ScramLoginModule alice)"
    # Kafka 4.1 on Java 17 cannot decrypt a PEM key of the modern kind (PBES2).
    kafka_client mtls-pem ssl ssl.keystore.type=PEM "ssl.keystore.location=$CERTS/client-encrypted-legacy-bundle.pem" "ssl.key.password=$(<"$CERTS/password")"
    for type in p12 jks; do
        kafka_client "mtls-$type" ssl "ssl.keystore.type=$(kafka_store $type)" "ssl.keystore.location=$CERTS/client.$type" \
            "ssl.keystore.password=$(<"$CERTS/password")" "ssl.key.password=$(<"$CERTS/password")"
    done
)

# Only reader and auditor have any; the JVMs that write them are paid for once.
kafka_acl() { # USER ARGUMENT…
    local dir=$BROKERS_DIR/kafka/acls
    kafka_java "$dir" -Xmx128m -XX:TieredStopAtLevel=1 "$KAFKA_ACL_TOOL" --bootstrap-server "$(kafka_list broker)" --add \
        --allow-principal "User:$1" "${@:2}"
    timeout 60 "${JAVA_COMMAND[@]}" >>"$dir/out.log" 2>&1 </dev/null
}
kafka_acls() {
    local dir=$BROKERS_DIR/kafka/acls one two
    [[ ! -e $dir/done ]] || return 0
    mkdir -p "$dir" && : >"$dir/out.log"
    kafka_acl reader --operation Read --operation Describe --topic allowed- --resource-pattern-type prefixed & one=$!
    # What `mqsafe audit --help` asks for, and nothing else.
    kafka_acl auditor --operation Describe --operation DescribeConfigs --cluster --topic '*' & two=$!
    kafka_acl auditor --operation Describe --group '*' && wait "$one" && wait "$two" && : >"$dir/done"
}

kafka_prepare() { # kafka NODE…
    local node user dir id name names=() formatting=(); shift
    for name in broker controller "${!KAFKA_SECURED[@]}"; do names+=("$name"{1,2,3}); done
    reserve_ports kafka "${names[@]}" "${!KAFKA_WRONG[@]}" oidc oidc_tls
    certs_prepare
    secret "$BROKERS_DIR/kafka/oidc/secret"
    [[ -e $BROKERS_DIR/kafka/oidc/jwks.json ]] || (umask 077 && "$PYTHON" "$HERE/oidc" keys "$BROKERS_DIR/kafka/oidc") ||
        die 3 'the key of the tokens could not be made'
    for user in "${KAFKA_USERS[@]}"; do secret "$(kafka_secret "$user")"; done
    certs_stores >"$BROKERS_DIR/kafka/keytool.log" 2>&1 &
    formatting+=($!)
    kafka_clients || die 3 "cannot write to $BROKERS_DIR/kafka/clients"
    if [[ ! -e $BROKERS_DIR/kafka/cluster-id ]]; then
        # A leading "-" would be taken for an option.
        until [[ ${id:--} != -* ]]; do id=$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d =); done
        replace "$BROKERS_DIR/kafka/cluster-id" "$id"
    fi
    id=$(<"$BROKERS_DIR/kafka/cluster-id")
    for node; do
        [[ $node != oidc ]] || continue
        dir=$BROKERS_DIR/kafka/$node
        mkdir -p "$dir"
        (umask 077 && kafka_properties "$node" "$dir" | overlaid kafka "$node" >"$dir/node.properties")
        [[ ! -e $dir/formatted ]] || continue
        # Without the mark, data is what an interrupted format left.
        rm -rf "$dir/data"
        # In a file, because every user of the machine may read arguments.
        (
            umask 077
            printf '%s\n' format -t "$id" -c "$dir/node.properties"
            for user in "${KAFKA_USERS[@]}"; do
                printf -- '--add-scram\n%s=[name=%s,password=%s]\n' SCRAM-SHA-256 "$user" "$(<"$(kafka_secret "$user")")" \
                    SCRAM-SHA-512 "$user" "$(<"$(kafka_secret "$user")")"
            done
        ) >"$dir/format" || die 3 "cannot write to $dir"
        kafka_java "$dir" -XX:TieredStopAtLevel=1 kafka.tools.StorageTool "@$dir/format"
        ("${JAVA_COMMAND[@]}" >>"$dir/out.log" 2>&1 </dev/null && : >"$dir/formatted") &
        formatting+=($!)
    done
    # Not a bare wait: the other brokers are children of this shell too.
    wait "${formatting[@]}"
    [[ -e $CERTS/truststore.jks ]] || { cat "$BROKERS_DIR/kafka/keytool.log" >&2; die 3 'keytool could not make its stores'; }
    for node; do
        [[ $node == oidc || -e $BROKERS_DIR/kafka/$node/formatted ]] || give_up kafka "node $node could not be formatted"
    done
}

kafka_launch() { # kafka NODE
    local dir=$BROKERS_DIR/kafka/$2
    if [[ $2 == oidc ]]; then
        launch kafka oidc "$PYTHON" "$HERE/oidc" serve "$dir" "$(port kafka oidc)" "$(port kafka oidc_tls)" "$CERTS/server-bundle.pem"
        return
    fi
    # Kafka 4 reads a token or a key from no address that this list lacks.
    kafka_java "$dir" -Xmx512m "-D$KAFKA_ALLOWED=file://$BROKERS_DIR/kafka/oidc/jwks.json" kafka.Kafka "$dir/node.properties"
    launch kafka "$2" "${JAVA_COMMAND[@]}"
}

# Each running node, asked itself, must know all running nodes: an old registration of a node that was
# killed and started again within the session time-out is no answer.
kafka_ready() {
    local node other name live=() answer
    for node in ${NODES[kafka]}; do ! running kafka "$node" || live+=("$node"); done
    if [[ ${#live[@]} -lt 2 ]]; then
        ANSWER='is not waited for (one node of three is no quorum)'
        return 0
    fi
    for name in oidc oidc_tls; do listens "$(port kafka $name)" || { NOT_YET='the token endpoint does not listen'; return 1; }; done
    for node in "${live[@]}"; do
        for other in broker "${!KAFKA_SECURED[@]}"; do
            listens "$(port kafka "$other$node")" || { NOT_YET="node $node does not listen for $other"; return 1; }
        done
    done
    for node in "${live[@]}"; do
        answer=$(timeout 5 kcat -L -m 3 -b "127.0.0.1:$(port kafka "broker$node")" 2>/dev/null)
        for other in "${live[@]}"; do
            [[ $answer == *"broker $other at "* ]] || { NOT_YET="node $node does not know node $other"; return 1; }
        done
    done
    kafka_acls || { NOT_YET="rights cannot be given: $(tail -n 3 "$BROKERS_DIR/kafka/acls/out.log")"; return 1; }
}

kafka_logs() { :; }

kafka_print() {
    local n name user
    printf 'KAFKA_BOOTSTRAP=%s\n' "$(kafka_list broker)"
    for n in ${NODES[kafka]}; do
        printf 'KAFKA_%s=127.0.0.1:%s\n' "$n" "$(port kafka "broker$n")"
        printf 'KAFKA_LOGS_%s=%s\n' "$n" "$BROKERS_DIR/kafka/$n/data"
        printf 'KAFKA_OUT_%s=%s\n' "$n" "$BROKERS_DIR/kafka/$n/out.log"
    done
    printf 'KAFKA_JARS=%s\n' "$KAFKA_JARS"
    for name in sasl_ssl ssl sasl_plaintext; do printf 'KAFKA_%s=%s\n' "${name^^}" "$(kafka_list $name)"; done
    for name in ssl_expired ssl_foreign ssl_wrong_host; do printf 'KAFKA_%s=127.0.0.1:%s\n' "${name^^}" "$(port kafka $name)"; done
    printf 'KAFKA_USER=alice\nKAFKA_PASSWORD_FILE=%s\n' "$(kafka_secret alice)"
    for user in "${KAFKA_USERS[@]}"; do printf 'KAFKA_%s_PASSWORD_FILE=%s\n' "${user^^}" "$(kafka_secret "$user")"; done
    printf 'OIDC_TOKEN_URL=%s\nOIDC_TOKEN_URL_TLS=https://127.0.0.1:%s/token\n' "$(kafka_token_url)" "$(port kafka oidc_tls)"
    printf 'OIDC_CLIENT_ID=mqsafe\nOIDC_SECRET_FILE=%s\n' "$BROKERS_DIR/kafka/oidc/secret"
    printf 'KAFKA_CLIENTS_DIR=%s\n' "$BROKERS_DIR/kafka/clients"
}
