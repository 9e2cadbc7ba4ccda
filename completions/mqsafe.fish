# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_mqsafe_global_optspecs
    string join \n color= no-progress q/quiet v/verbose log-format= h/help V/version
end

function __fish_mqsafe_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_mqsafe_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_mqsafe_using_subcommand
    set -l cmd (__fish_mqsafe_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c mqsafe -n "__fish_mqsafe_needs_command" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mqsafe -n "__fish_mqsafe_needs_command" -l log-format -d 'How log lines look on stderr' -r -f -a "text\t'Sentences'
json\t'One JSON object a line'"
complete -c mqsafe -n "__fish_mqsafe_needs_command" -l no-progress -d 'Show no progress bar and no progress lines'
complete -c mqsafe -n "__fish_mqsafe_needs_command" -s q -l quiet -d 'The answer only; twice: nothing but the exit code'
complete -c mqsafe -n "__fish_mqsafe_needs_command" -s v -l verbose -d 'More about what is done; up to three times'
complete -c mqsafe -n "__fish_mqsafe_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mqsafe -n "__fish_mqsafe_needs_command" -s V -l version -d 'Print version'
complete -c mqsafe -n "__fish_mqsafe_needs_command" -f -a "audit" -d 'Can this setup lose messages? Lints broker, topic and client configuration'
complete -c mqsafe -n "__fish_mqsafe_needs_command" -f -a "send" -d 'Did it really get there? Publishes, waits for the confirmation, and never loses what it accepted'
complete -c mqsafe -n "__fish_mqsafe_needs_command" -f -a "query-key" -d 'Where is the message of this key? Finds it, and says whether the whole place was searched'
complete -c mqsafe -n "__fish_mqsafe_needs_command" -f -a "verify" -d 'Did we lose any? Reads the stamps and names every gap'
complete -c mqsafe -n "__fish_mqsafe_needs_command" -f -a "spool" -d 'What waits for its confirmation'
complete -c mqsafe -n "__fish_mqsafe_needs_command" -f -a "context" -d 'Named connections, and whether they work'
complete -c mqsafe -n "__fish_mqsafe_needs_command" -f -a "drill" -d 'See messages die, and not die: careless producers and `send`, under the same faults'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand audit" -l profile -d 'What "safe" means here: finance, orders, logs, or the path of a profile [default: orders, or what .mqsafe.yaml says]' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand audit" -l format -d 'How findings are written' -r -f -a "full\t'With the source line, the failure story and the fix'
concise\t'One line for each finding'
json\t'One JSON object (mqsafe.audit/1)'
sarif\t'SARIF 2.1.0'
github\t'Annotations of GitHub Actions'
gitlab\t'GitLab\'s code quality report'
junit\t'JUnit XML'
markdown\t'A table in Markdown'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand audit" -l output -d 'Write a report to a file as well, in any format; may be given several times' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand audit" -l fail-on -d 'The lowest severity that makes the exit code 1' -r -f -a "critical\t'Acknowledged data can vanish on one ordinary failure'
high\t'As critical, when something else goes wrong as well'
medium\t'Under a rare or partly known condition'
low\t'Advice'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand audit" -l dialect -d 'Read every given file as this dialect instead of recognising it' -r -f -a "kafka-broker\t'server.properties of a broker or controller'
kafka-producer\t'Settings of a Java producer'
kafka-consumer\t'Settings of a Java consumer'
librdkafka-producer\t'Settings of a librdkafka producer'
librdkafka-consumer\t'Settings of a librdkafka consumer'
rabbitmq-definitions\t'definitions.json'
rocketmq-broker\t'broker.conf'
kafka-connect\t'Settings of a Kafka Connect worker'
kafka-connector\t'Settings of a connector'
kafka-streams\t'Settings of a Kafka Streams application'
kafka-mirrormaker\t'Settings of MirrorMaker 2'
rabbitmq-conf\t'rabbitmq.conf'
rocketmq-controller\t'controller.conf or namesrv.conf'
application\t'application.yml or application.properties of Spring or Quarkus'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand audit" -l kafka-version -d 'The release that the brokers of Kafka run, as 3.7 or 3.7.1, whatever the files tell' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand audit" -l rabbitmq-version -d 'The release that the RabbitMQ nodes run, whatever the files tell' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand audit" -l rocketmq-version -d 'The release that the RocketMQ brokers run, whatever the files tell' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand audit" -l client -d 'The client and its release, whatever the files tell: java:3.7, librdkafka:2.3' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand audit" -l baseline -d 'Leave out what this file holds from before' -r -F
complete -c mqsafe -n "__fish_mqsafe_using_subcommand audit" -l write-baseline -d 'Write everything that is found now to this file, to be left out by --baseline later; what is no longer found goes' -r -F
complete -c mqsafe -n "__fish_mqsafe_using_subcommand audit" -l changed-since -d 'Tell only of files that differ from this revision of git; all are read, so that files are still joined' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand audit" -l since-report -d 'Tell what is new, what is gone and what is the same since this report, which --format json wrote' -r -F
complete -c mqsafe -n "__fish_mqsafe_using_subcommand audit" -l config -d 'Read the settings of the repository from this file instead of .mqsafe.yaml' -r -F
complete -c mqsafe -n "__fish_mqsafe_using_subcommand audit" -l explain -d 'Explain one rule and stop' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand audit" -s b -l broker -d 'Judge what runs: kafka://HOST:PORT,HOST:PORT (or a bare HOST:PORT), amqp://HOST, amqps://HOST or rocketmq://HOST:PORT; with paths as well, both are joined (can be repeated)' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand audit" -s X -d 'A client property (can be repeated); secrets as KEY=@FILE or KEY=env:NAME' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand audit" -s F -l client-config -d 'Client properties from a file of a Java client, librdkafka or kcat' -r -F
complete -c mqsafe -n "__fish_mqsafe_using_subcommand audit" -s C -l context -d 'A context of ~/.config/mqsafe/config.yaml' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand audit" -l management -d 'RabbitMQ\'s management API [default: port 15672 of the first host, 15671 with amqps]' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand audit" -l topic -d 'Only topics that match this shell pattern (can be repeated)' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand audit" -l queue -d 'RabbitMQ: only queues and exchanges that match this shell pattern (can be repeated)' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand audit" -l exclude -d 'No topics, queues and exchanges that match this shell pattern (can be repeated)' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand audit" -l peek -d 'RabbitMQ: fetch so many waiting messages of each durable classic queue and put them back, to see whether they are persistent; they are marked as redelivered (quorum queues and streams store every message, and are left alone)' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand audit" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand audit" -l log-format -d 'How log lines look on stderr' -r -f -a "text\t'Sentences'
json\t'One JSON object a line'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand audit" -l strict -d 'Let a comment silence a finding only when it gives a reason'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand audit" -l pedantic -d 'Let every rule speak, even where one finding already says it all'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand audit" -l fix -d 'Change the files where a rule knows a safe value; comments and format stay'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand audit" -l diff -d 'Show what --fix would change, and change nothing'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand audit" -l list-rules -d 'List the rules and stop'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand audit" -l no-progress -d 'Show no progress bar and no progress lines'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand audit" -s q -l quiet -d 'The answer only; twice: nothing but the exit code'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand audit" -s v -l verbose -d 'More about what is done; up to three times'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand audit" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -s b -l broker -d 'The broker: kafka://HOST:PORT,HOST:PORT (or a bare HOST:PORT), amqp://HOST, amqps://HOST or rocketmq://HOST:PORT; also from MQSAFE_BROKER, -F or a context' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -s X -d 'A client property (can be repeated); secrets as KEY=@FILE or KEY=env:NAME' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -s F -l config -d 'Client properties from a file of a Java client, librdkafka or kcat' -r -F
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -s C -l context -d 'A context of ~/.config/mqsafe/config.yaml, also from MQSAFE_CONTEXT' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l management -d 'RabbitMQ\'s management API' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -s t -l topic -d 'The topic (Kafka, RocketMQ) or queue (RabbitMQ); it is never created by accident' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -s e -l exchange -d 'The exchange to publish to (RabbitMQ)' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -s r -l routing-key -d 'The routing key to publish with (RabbitMQ)' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l input -d 'How the input becomes messages' -r -f -a "lines\t'One message a line'
jsonl\t'One JSON record a line, as query-key writes them: key, value, headers, tag'
csv\t'CSV whose first line names the columns'
files\t'Each FILE is one message'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l only-failed -d 'Send again those lines of FILE that were refused or rejected, by the receipts of an earlier run' -r -F
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -s k -l key -d 'The key of every message that has none of its own' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -s K -l key-delimiter -d 'Split each line into key and value at the first DELIM' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -s D -l delimiter -d 'Messages end with this text instead of the end of a line; \\n, \\r, \\t, \\0, \\xNN and \\\\ are understood' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l key-column -d 'CSV: the column that is the key' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l value-column -d 'CSV: the column that is the payload; by default the whole row is, as a JSON object' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l header-columns -d 'CSV: columns that become headers' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l key-from -d 'Files: what the key of each is' -r -f -a "name\t'Its name, without the directory'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l max-redrives -d 'JSONL: reject a record that went from a broker to a broker so often already, as in a loop of dead letters and redrives' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l template -d 'Make messages for a test instead of reading any: {seq}, {uuid}, {now}, {rand:N} and {key} are filled in' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l count -d 'How many messages are made of --template' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l key-template -d 'The keys of the messages made of --template' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -s H -l header -d 'A header of every message (can be repeated)' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l tag -d 'The tag of every message that has none of its own (RocketMQ)' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l idempotency-key -d 'Send a message once, however often it is given: key, header:NAME, json:/POINTER or column:NAME says what it is known by' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l dedupe-window -d 'How long an idempotency key is remembered' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l rate -d 'No more messages than this: 500, 500/s, 30/m' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l max-message-bytes -d 'Reject messages longer than this' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -s p -l partition -d 'The partition (Kafka) or queue id (RocketMQ); by default it is chosen by key as Kafka\'s Java client does' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l partitioner -d 'As which client the partition is chosen by key: murmur2 as Java\'s, crc32 as librdkafka\'s and kcat\'s, fnv1a as Sarama\'s' -r -f -a "murmur2\t'Kafka\'s Java client'
crc32\t'librdkafka (consistent_random), kcat'
fnv1a\t'Sarama (Go)'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l acks -d 'Who must have a message before it counts as stored (Kafka); all in-sync replicas unless less is asked for, and 0 only with --no-spool' -r -f -a "all\t'All in-sync replicas'
1\t'The leader\'s page cache'
0\t'Nobody'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l create-topic -d 'Make the topic (or queue) when it is not there, with so many partitions and replicas or the broker\'s own default' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l lane -d 'What a lane is, in which messages are numbered and `verify` finds gaps: key for each routing key, exchange for all of an exchange, where each message has a routing key of its own' -r -f -a "key\t'An exchange and a routing key'
exchange\t'An exchange'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l connect-timeout -d 'How long the broker may take to answer for the first time' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l delivery-timeout -d 'How long to go on without any message being confirmed' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l grace -d 'How long the first Ctrl-C waits for what is in flight' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l max-attempts -d 'Give a message up, as failed, after so many attempts at a broker that was there; by default it is never given up' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l await-consumed -d 'Keep each message after its confirmation until `spool ack` reports it as consumed, and call it overdue after this time' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l dead-letter -d 'Where a copy of each message goes that failed for good, with the reason in its headers: a topic, a queue, or EXCHANGE|KEY' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l check-topic -d 'Where a check of each stored message goes, for a service that asks whether it was consumed: a topic, a queue, or EXCHANGE|KEY' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l check-after -d 'How long after a message was stored its check is sent, by `spool flush`' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l receipts -d 'Write what became of each message, one JSON object a line; - is standard output' -r -F
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l spool -d 'The directory of the spool, also from MQSAFE_SPOOL; by default a store below the user\'s state directory that no other process uses' -r -F
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l spool-limit -d 'Accept nothing more once the spool\'s file would grow beyond this; k, M and G are powers of 1024' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l log-format -d 'How log lines look on stderr' -r -f -a "text\t'Sentences'
json\t'One JSON object a line'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l resume -d 'Go on after the last accepted line of FILE'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -s 0 -l null -d 'Messages end with a NUL, as those of find -print0'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l keep-partition -d 'JSONL: send each record to the partition that it names'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l strict -d 'Stop reading at the first line that cannot be read, instead of rejecting it and going on'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l dry-run -d 'Read and judge the input and look at the topic, but send and store nothing'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l allow-transient -d 'Publish also to a queue or exchange that does not survive a restart of the broker; that is looked at with --management'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l ordered -d 'Send one message after the other, so that no resend overtakes. Each costs a round trip and the broker\'s write to its disk: some hundred messages a second instead of some ten thousand. The other brokers\' lanes keep their order anyway'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l tx -d 'Publish in AMQP transactions, up to 500 messages each, instead of with confirms. Slow: nothing is sent while a commit is awaited, and a commit that is lost leaves all its messages in doubt'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l exec -d 'Run the program after -- once everything is in the spool, and publish only when it ends with exit 0'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l transaction -d 'Publish the whole input in one Kafka transaction, once all of it is in the spool: readers of committed messages get all of it or nothing'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l ensure -d 'Read back each acknowledged message and compare it (Kafka, RocketMQ, RabbitMQ streams)'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l no-spool -d 'Send without a spool: what is not confirmed when this ends is not kept'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -l no-progress -d 'Show no progress bar and no progress lines'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -s q -l quiet -d 'The answer only; twice: nothing but the exit code'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -s v -l verbose -d 'More about what is done; up to three times'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand send" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -s b -l broker -d 'The broker: kafka://HOST:PORT,HOST:PORT (or a bare HOST:PORT), amqp://HOST, amqps://HOST or rocketmq://HOST:PORT; also from MQSAFE_BROKER, -F or a context' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -s X -d 'A client property (can be repeated); secrets as KEY=@FILE or KEY=env:NAME' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -s F -l config -d 'Client properties from a file of a Java client, librdkafka or kcat' -r -F
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -s C -l context -d 'A context of ~/.config/mqsafe/config.yaml, also from MQSAFE_CONTEXT' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -l management -d 'RabbitMQ\'s management API' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -s t -l topic -d 'The topic (Kafka, RocketMQ) or queue (RabbitMQ)' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -l keys-file -d 'Keys from a file, one a line; - is standard input' -r -F
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -l glob -d 'Keys that match this shell pattern (can be repeated)' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -l regex -d 'Keys in which this regular expression is found (can be repeated)' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -l key-from -d 'Where the key is: header:NAME, json:/POINTER or property:NAME' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -l id -d 'The message id (RabbitMQ), or the unique key or offset id (RocketMQ)' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -s H -l header -d 'A header with this value (can be repeated; all must hold)' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -l json -d 'A field of a JSON payload with this value (can be repeated; all must hold)' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -l value-contains -d 'Payloads that hold this text (can be repeated; all must hold)' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -s p -l partitions -d 'Only these partitions: 0,2,5-7' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -l since -d 'Only messages of this time and later' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -l until -d 'Only messages before this time' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -l limit -d 'Stop after so many' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -l partitioner -d 'Read only the partition where this client would have put the key' -r -f -a "murmur2\t'Kafka\'s Java client'
crc32\t'librdkafka (consistent_random), kcat'
fnv1a\t'Sarama (Go)'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -l partition-counts -d 'How many partitions the topic had before: 4,8' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -l isolation -d 'Whether messages of open or aborted transactions count' -r -f -a "read_committed\t'Only those of committed transactions'
read_uncommitted\t'All that are in the log'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -l for -d 'How long --tap watches; until Ctrl-C or --limit otherwise' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -l also -d 'With --journey: look there too (can be repeated); @CONTEXT/TOPIC is a topic of another broker' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -l format -d 'How messages are written' -r -f -a "human\t'For people'
jsonl\t'One JSON object a line: the records, then the summary with a hash of the lines before it (mqsafe.query/1)'
json\t'One JSON object (mqsafe.query/1)'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -l log-format -d 'How log lines look on stderr' -r -f -a "text\t'Sentences'
json\t'One JSON object a line'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -s 0 -l null -d 'The keys of --keys-file end with a NUL, and so do the payloads of --raw'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -l base64 -d 'KEY and the lines of --keys-file are base64'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -l no-key -d 'Messages without a key'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -l all -d 'Every message of the window'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -l newest-first -d 'Read each partition from its end backwards, which finds a recent message at once'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -l pruned -d 'Read only partitions where a known client would have put the key (murmur2, crc32 or fnv1a)'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -l index-only -d 'RocketMQ: believe the brokers\' index of keys when it finds nothing, instead of reading the queues'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -l exhaustive -d 'RocketMQ: read the queues also when the brokers\' index of keys found the key'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -l peek -d 'Fetch the messages of a RabbitMQ queue that keeps no history, and put them back: they are marked as redelivered, their order may change, and quorum queues count it as a delivery'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -l yes -d 'Agree to --peek where messages can be dropped for it: a queue with a delivery limit'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -l tap -d 'RabbitMQ: watch what is routed to the queue from now on, by a private queue with the same bindings'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -l journey -d 'Follow each hit: who consumed it, its copies in dead-letter and retry topics, the messages before and after it'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -l raw -d 'Write the payloads alone, as they are, each with an end of line; with -0 each with a NUL'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -l no-progress -d 'Show no progress bar and no progress lines'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -s q -l quiet -d 'The answer only; twice: nothing but the exit code'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -s v -l verbose -d 'More about what is done; up to three times'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand query-key" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -s b -l broker -d 'The broker: kafka://HOST:PORT,HOST:PORT (or a bare HOST:PORT), amqp://HOST, amqps://HOST or rocketmq://HOST:PORT; also from MQSAFE_BROKER, -F or a context' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -s X -d 'A client property (can be repeated); secrets as KEY=@FILE or KEY=env:NAME' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -s F -l config -d 'Client properties from a file of a Java client, librdkafka or kcat' -r -F
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -s C -l context -d 'A context of ~/.config/mqsafe/config.yaml, also from MQSAFE_CONTEXT' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -l management -d 'RabbitMQ\'s management API' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -s t -l topic -d 'The topic (Kafka, RocketMQ) or queue (RabbitMQ)' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -s p -l partitions -d 'Only these partitions: 0,2,5-7' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -l isolation -d 'Whether messages of open or aborted transactions count' -r -f -a "read_committed\t'Only those of committed transactions'
read_uncommitted\t'All that are in the log'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -l state -d 'Keep what was read in this file, and go on from there if it exists; `verify merge` joins several' -r -F
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -l state-every -d 'How often --state is written while the reading goes on' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -l memory -d 'What is known of gaps may take so many MiB; more goes to a file in the directory for temporary files (TMPDIR)' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -l group -d 'Kafka: read as a member of this group, which divides the partitions among all that name it; `verify merge` joins their states. The group must be for this alone: how far it has read is committed to it' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -l for -d 'How long --tap watches; until Ctrl-C otherwise' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -l journal -d 'The sender\'s journal: a spool, or a directory of spools. Only with it can a message be called lost' -r -F
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -l expect -d 'Business ids from a CSV, JSONL or plain file, one a line: which are missing, unexpected, there more than once' -r -F
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -l column -d 'The column (CSV) or field (JSONL) of --expect that holds the id' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -l id-from -d 'Where a message has its business id: key, key:REGEX, value, value:REGEX, header:NAME or json:/POINTER' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -l against -d 'A copy of the topic: the same messages must be there, by their ids; @CONTEXT/TOPIC is at another broker' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -l against-broker -d 'The broker of --against, if it is another' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -l seq-from -d 'Where another stamp has its number: key:REGEX, value, value:REGEX, header:NAME, json:/POINTER, or body:int32@0 for four bytes of the payload from its first on, as PerfTest writes them (also int16, int64, uint32 and so on; int32le: the lowest byte first)' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -l producer-from -d 'Where another stamp has its sender' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -l groups -d 'Where these consumer groups stand: what is stored and not consumed, and what of it lies in dead-letter topics; with receipts, also what a group has skipped: committed beyond without a receipt' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -l receipts -d 'What was consumed: a file of ids (SEQ PRODUCER LANE, one a line), as a consumer wrote them' -r -F
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -l receipts-topic -d 'The same from a topic or queue of the same broker: one id a line in each message, as JSON with an "id", or the check messages of `send --check-topic`' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -l metrics -d 'With --follow: serve what is seen as Prometheus text at http://ADDR/metrics, as 127.0.0.1:9464. Whoever reaches it may read it' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -l late-after -d 'With --follow: a number that is missing for less than this is late, and not yet called missing' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -l deny -d 'Also call these anomalies: exit 1' -r -f -a "duplicate\t'One id at two positions of its lane'
reordered\t'A number read after a larger one of its lane'
moved\t'A stamp read outside its lane'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -l allow -d 'Do not call these anomalies' -r -f -a "gap\t'Missing, with no journal to say whether it was acknowledged'
corrupt\t'A stamp that cannot be read'
aborted-read\t'Handed to a reader of committed messages although aborted'
duplicate\t'One id at two positions of its lane'
reordered\t'A number read after a larger one of its lane'
moved\t'A stamp read outside its lane'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -l profile -d 'What is an anomaly for this kind of work: finance denies duplicates and reordering too, logs tolerates --max-loss' -r -f -a "finance\t'Nothing may be missing, there twice, or out of order'
orders\t'Nothing may be missing'
logs\t'A stated share may be missing'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -l max-loss -d 'With --profile logs: the share of messages that may be missing, as 0.01%' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -l format -d 'How the verdict is written' -r -f -a "human\t'A table'
json\t'One JSON object (mqsafe.verify/1)'
junit\t'JUnit XML: one test case for each kind of anomaly and each lane that has one'
markdown\t'Markdown for a ticket'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -l evidence -d 'Also write what is missing, and what excludes every other reason, as Markdown for a ticket' -r -F
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -l log-format -d 'How log lines look on stderr' -r -f -a "text\t'Sentences'
json\t'One JSON object a line'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -l tap -d 'Watch what is routed to the queue from now on, by a private queue with the same bindings; needs --management'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -l drain -d 'Consume what waits in the queue: THE MESSAGES ARE GONE from it. Each is acknowledged after its number is in --state'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -l alone -d 'With --drain: nobody else has ever consumed from the queue, so that what is not there is missing'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -l yes -d 'Agree to --drain'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -l pid -d 'Kafka\'s own numbers of producers, from the headers of batches: works where nothing is stamped'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -l resend -d 'Note in the spools of --journal what was consumed, and put back what was not consumed in time: `spool flush` sends it again. Only messages that were sent with --await-consumed are still there to be sent'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -l follow -d 'Go on when the end is reached, until Ctrl-C'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -l no-progress -d 'Show no progress bar and no progress lines'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -s q -l quiet -d 'The answer only; twice: nothing but the exit code'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -s v -l verbose -d 'More about what is done; up to three times'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and not __fish_seen_subcommand_from merge" -f -a "merge" -d 'One verdict from the states that several readers kept, each of some partitions or of some time'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and __fish_seen_subcommand_from merge" -l state -d 'Also write what they say together as a state' -r -F
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and __fish_seen_subcommand_from merge" -l memory -d 'What is known of gaps may take so many MiB; more goes to a file in the directory for temporary files (TMPDIR)' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and __fish_seen_subcommand_from merge" -l journal -d 'The sender\'s journal: a spool, or a directory of spools' -r -F
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and __fish_seen_subcommand_from merge" -l deny -d 'Also call these anomalies: exit 1' -r -f -a "duplicate\t'One id at two positions of its lane'
reordered\t'A number read after a larger one of its lane'
moved\t'A stamp read outside its lane'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and __fish_seen_subcommand_from merge" -l allow -d 'Do not call these anomalies' -r -f -a "gap\t'Missing, with no journal to say whether it was acknowledged'
corrupt\t'A stamp that cannot be read'
aborted-read\t'Handed to a reader of committed messages although aborted'
duplicate\t'One id at two positions of its lane'
reordered\t'A number read after a larger one of its lane'
moved\t'A stamp read outside its lane'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and __fish_seen_subcommand_from merge" -l profile -d 'What is an anomaly for this kind of work: finance denies duplicates and reordering too, logs tolerates --max-loss' -r -f -a "finance\t'Nothing may be missing, there twice, or out of order'
orders\t'Nothing may be missing'
logs\t'A stated share may be missing'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and __fish_seen_subcommand_from merge" -l max-loss -d 'With --profile logs: the share of messages that may be missing, as 0.01%' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and __fish_seen_subcommand_from merge" -l format -d 'How the verdict is written' -r -f -a "human\t'A table'
json\t'One JSON object (mqsafe.verify/1)'
junit\t'JUnit XML: one test case for each kind of anomaly and each lane that has one'
markdown\t'Markdown for a ticket'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and __fish_seen_subcommand_from merge" -l evidence -d 'Also write what is missing, and what excludes every other reason, as Markdown for a ticket' -r -F
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and __fish_seen_subcommand_from merge" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and __fish_seen_subcommand_from merge" -l log-format -d 'How log lines look on stderr' -r -f -a "text\t'Sentences'
json\t'One JSON object a line'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and __fish_seen_subcommand_from merge" -l no-progress -d 'Show no progress bar and no progress lines'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and __fish_seen_subcommand_from merge" -s q -l quiet -d 'The answer only; twice: nothing but the exit code'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and __fish_seen_subcommand_from merge" -s v -l verbose -d 'More about what is done; up to three times'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand verify; and __fish_seen_subcommand_from merge" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and not __fish_seen_subcommand_from ls list show flush retry drop export ack decide fsck stats" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and not __fish_seen_subcommand_from ls list show flush retry drop export ack decide fsck stats" -l log-format -d 'How log lines look on stderr' -r -f -a "text\t'Sentences'
json\t'One JSON object a line'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and not __fish_seen_subcommand_from ls list show flush retry drop export ack decide fsck stats" -l no-progress -d 'Show no progress bar and no progress lines'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and not __fish_seen_subcommand_from ls list show flush retry drop export ack decide fsck stats" -s q -l quiet -d 'The answer only; twice: nothing but the exit code'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and not __fish_seen_subcommand_from ls list show flush retry drop export ack decide fsck stats" -s v -l verbose -d 'More about what is done; up to three times'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and not __fish_seen_subcommand_from ls list show flush retry drop export ack decide fsck stats" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and not __fish_seen_subcommand_from ls list show flush retry drop export ack decide fsck stats" -f -a "ls" -d 'List what is kept, a line a message, and the journal of what was confirmed'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and not __fish_seen_subcommand_from ls list show flush retry drop export ack decide fsck stats" -f -a "list" -d 'List what is kept, a line a message, and the journal of what was confirmed'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and not __fish_seen_subcommand_from ls list show flush retry drop export ack decide fsck stats" -f -a "show" -d 'Show everything of one message'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and not __fish_seen_subcommand_from ls list show flush retry drop export ack decide fsck stats" -f -a "flush" -d 'Deliver everything that waits'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and not __fish_seen_subcommand_from ls list show flush retry drop export ack decide fsck stats" -f -a "retry" -d 'Send again what failed, what nobody consumed, or what waits for a lane that is gone'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and not __fish_seen_subcommand_from ls list show flush retry drop export ack decide fsck stats" -f -a "drop" -d 'Forget messages for good'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and not __fish_seen_subcommand_from ls list show flush retry drop export ack decide fsck stats" -f -a "export" -d 'Write messages as JSON lines that `send --input jsonl` takes; nothing is removed'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and not __fish_seen_subcommand_from ls list show flush retry drop export ack decide fsck stats" -f -a "ack" -d 'Note what consumers report as consumed or failed'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and not __fish_seen_subcommand_from ls list show flush retry drop export ack decide fsck stats" -f -a "decide" -d 'Say how the local action of `send --exec` ended, when the run that started it could not'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and not __fish_seen_subcommand_from ls list show flush retry drop export ack decide fsck stats" -f -a "fsck" -d 'Check a spool: exit 0 when it is in order, 1 when something is wrong, 3 when it cannot be read'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and not __fish_seen_subcommand_from ls list show flush retry drop export ack decide fsck stats" -f -a "stats" -d 'Say how much waits, failed and was confirmed'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from ls" -l spool -d 'The directory of the spool, also from MQSAFE_SPOOL; by default a store below the user\'s state directory that no other process uses' -r -F
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from ls" -l state -d 'Only these; by default whatever is kept with its body' -r -f -a "pending\t'Waits for its confirmation'
failed\t'Refused for good, or given up'
confirmed\t'Confirmed: runs of numbers for each lane'
awaiting\t'Confirmed, and not yet reported as consumed'
scheduled\t'Waits for its time, as the check of a confirmed message does'
undecided\t'Belongs to a local action or a transaction whose end is not known'
all\t'All of them'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from ls" -s t -l topic -d 'Only messages to this topic, queue or exchange' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from ls" -s k -l key -d 'Only messages with this key' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from ls" -l limit -d 'At most so many lines; by default 1000 for people and all for programs' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from ls" -l format -d 'How it is written' -r -f -a "human\t'A table'
json\t'One JSON object'
jsonl\t'One JSON object a line'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from ls" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from ls" -l log-format -d 'How log lines look on stderr' -r -f -a "text\t'Sentences'
json\t'One JSON object a line'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from ls" -l no-progress -d 'Show no progress bar and no progress lines'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from ls" -s q -l quiet -d 'The answer only; twice: nothing but the exit code'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from ls" -s v -l verbose -d 'More about what is done; up to three times'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from list" -l spool -d 'The directory of the spool, also from MQSAFE_SPOOL; by default a store below the user\'s state directory that no other process uses' -r -F
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from list" -l state -d 'Only these; by default whatever is kept with its body' -r -f -a "pending\t'Waits for its confirmation'
failed\t'Refused for good, or given up'
confirmed\t'Confirmed: runs of numbers for each lane'
awaiting\t'Confirmed, and not yet reported as consumed'
scheduled\t'Waits for its time, as the check of a confirmed message does'
undecided\t'Belongs to a local action or a transaction whose end is not known'
all\t'All of them'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from list" -s t -l topic -d 'Only messages to this topic, queue or exchange' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from list" -s k -l key -d 'Only messages with this key' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from list" -l limit -d 'At most so many lines; by default 1000 for people and all for programs' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from list" -l format -d 'How it is written' -r -f -a "human\t'A table'
json\t'One JSON object'
jsonl\t'One JSON object a line'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from list" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from list" -l log-format -d 'How log lines look on stderr' -r -f -a "text\t'Sentences'
json\t'One JSON object a line'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from list" -l no-progress -d 'Show no progress bar and no progress lines'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from list" -s q -l quiet -d 'The answer only; twice: nothing but the exit code'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from list" -s v -l verbose -d 'More about what is done; up to three times'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from show" -l spool -d 'The directory of the spool, also from MQSAFE_SPOOL; by default a store below the user\'s state directory that no other process uses' -r -F
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from show" -l format -d 'How it is written' -r -f -a "human\t'A table'
json\t'One JSON object'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from show" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from show" -l log-format -d 'How log lines look on stderr' -r -f -a "text\t'Sentences'
json\t'One JSON object a line'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from show" -l no-progress -d 'Show no progress bar and no progress lines'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from show" -s q -l quiet -d 'The answer only; twice: nothing but the exit code'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from show" -s v -l verbose -d 'More about what is done; up to three times'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from flush" -l spool -d 'The directory of the spool, also from MQSAFE_SPOOL; by default a store below the user\'s state directory that no other process uses' -r -F
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from flush" -s X -d 'A client property (can be repeated); secrets as KEY=@FILE or KEY=env:NAME' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from flush" -s F -l config -d 'Client properties from a file of a Java client, librdkafka or kcat' -r -F
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from flush" -s C -l context -d 'A context of ~/.config/mqsafe/config.yaml, also from MQSAFE_CONTEXT' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from flush" -l management -d 'RabbitMQ\'s management API' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from flush" -l connect-timeout -d 'How long the broker may take to answer for the first time' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from flush" -l delivery-timeout -d 'How long to go on without any message being confirmed' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from flush" -l grace -d 'How long the first Ctrl-C waits for what is in flight' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from flush" -l max-attempts -d 'Give a message up, as failed, after so many attempts at a broker that was there; by default it is never given up' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from flush" -l dead-letter -d 'Where a copy of each message goes that fails for good, as `send --dead-letter`: the spool does not remember that it was asked for' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from flush" -l check-topic -d 'Where a check of each stored message goes, as `send --check-topic`: the spool does not remember that it was asked for' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from flush" -l check-after -d 'How long after a message was stored its check is sent, by a later `spool flush`' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from flush" -l every -d 'How long --watch rests between two rounds' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from flush" -l on-failed -d 'Run PROGRAM, with what stands after --, for each message that fails, with its JSON record on standard input' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from flush" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from flush" -l log-format -d 'How log lines look on stderr' -r -f -a "text\t'Sentences'
json\t'One JSON object a line'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from flush" -l allow-transient -d 'Publish also to a queue or exchange that does not survive a restart of the broker (RabbitMQ), as `send --allow-transient`'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from flush" -l ordered -d 'Send one message after the other, so that no resend overtakes (RabbitMQ), as `send --ordered`'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from flush" -l watch -d 'Go on, and deliver what waits every now and then, until stopped by Ctrl-C or TERM'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from flush" -l no-progress -d 'Show no progress bar and no progress lines'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from flush" -s q -l quiet -d 'The answer only; twice: nothing but the exit code'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from flush" -s v -l verbose -d 'More about what is done; up to three times'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from flush" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from retry" -l partitioner -d 'As which client the new lane is chosen by key: murmur2 as Kafka\'s Java client (the default), crc32 as librdkafka, fnv1a as Sarama; what the messages were sent with' -r -f -a "murmur2\t'Kafka\'s Java client'
crc32\t'librdkafka (consistent_random), kcat'
fnv1a\t'Sarama (Go)'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from retry" -l lane -d 'Of what waits, the messages of this lane, as `ls` names it (can be repeated)' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from retry" -l spool -d 'The directory of the spool, also from MQSAFE_SPOOL; by default a store below the user\'s state directory that no other process uses' -r -F
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from retry" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from retry" -l log-format -d 'How log lines look on stderr' -r -f -a "text\t'Sentences'
json\t'One JSON object a line'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from retry" -l all-failed -d 'Every message that failed for good'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from retry" -l unconsumed -d 'Every stored message that was not consumed in time, or whose consumer failed'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from retry" -l relane -d 'Give a new lane and number; without ID or --lane to what waits for lanes that the broker no longer has'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from retry" -l force -d 'Also for messages that may be stored, although a duplicate under another number is possible then'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from retry" -l no-progress -d 'Show no progress bar and no progress lines'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from retry" -s q -l quiet -d 'The answer only; twice: nothing but the exit code'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from retry" -s v -l verbose -d 'More about what is done; up to three times'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from retry" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from drop" -l spool -d 'The directory of the spool, also from MQSAFE_SPOOL; by default a store below the user\'s state directory that no other process uses' -r -F
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from drop" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from drop" -l log-format -d 'How log lines look on stderr' -r -f -a "text\t'Sentences'
json\t'One JSON object a line'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from drop" -l all-failed -d 'Every message that failed for good'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from drop" -l force -d 'Also messages that still wait, or whose consumption is awaited'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from drop" -l yes -d 'Do not ask'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from drop" -l no-progress -d 'Show no progress bar and no progress lines'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from drop" -s q -l quiet -d 'The answer only; twice: nothing but the exit code'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from drop" -s v -l verbose -d 'More about what is done; up to three times'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from drop" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from export" -l state -d 'Only these; by default what waits and what failed' -r -f -a "pending\t'Waits for its confirmation'
failed\t'Refused for good, or given up'
awaiting\t'Confirmed, and not yet reported as consumed'
all\t'All of them'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from export" -s o -l output -d 'A file that is not there yet; - is standard output' -r -F
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from export" -l spool -d 'The directory of the spool, also from MQSAFE_SPOOL; by default a store below the user\'s state directory that no other process uses' -r -F
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from export" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from export" -l log-format -d 'How log lines look on stderr' -r -f -a "text\t'Sentences'
json\t'One JSON object a line'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from export" -l no-progress -d 'Show no progress bar and no progress lines'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from export" -s q -l quiet -d 'The answer only; twice: nothing but the exit code'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from export" -s v -l verbose -d 'More about what is done; up to three times'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from ack" -l from -d 'The reports, one a line: a file, or - for standard input; with -b the topic or queue that holds them, each message one or more' -r -F
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from ack" -s b -l broker -d 'The broker of that topic or queue. It is read to its end, and nothing is changed there' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from ack" -s X -d 'A client property (can be repeated); secrets as KEY=@FILE or KEY=env:NAME' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from ack" -s F -l config -d 'Client properties from a file of a Java client, librdkafka or kcat' -r -F
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from ack" -s C -l context -d 'A context of ~/.config/mqsafe/config.yaml, also from MQSAFE_CONTEXT' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from ack" -l management -d 'RabbitMQ\'s management API' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from ack" -l spool -d 'The directory of the spool, also from MQSAFE_SPOOL; by default a store below the user\'s state directory that no other process uses' -r -F
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from ack" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from ack" -l log-format -d 'How log lines look on stderr' -r -f -a "text\t'Sentences'
json\t'One JSON object a line'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from ack" -l peek -d 'Fetch from a queue that keeps no history and put everything back, which its consumers can notice (RabbitMQ)'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from ack" -l no-progress -d 'Show no progress bar and no progress lines'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from ack" -s q -l quiet -d 'The answer only; twice: nothing but the exit code'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from ack" -s v -l verbose -d 'More about what is done; up to three times'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from ack" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from decide" -l spool -d 'The directory of the spool, also from MQSAFE_SPOOL; by default a store below the user\'s state directory that no other process uses' -r -F
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from decide" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from decide" -l log-format -d 'How log lines look on stderr' -r -f -a "text\t'Sentences'
json\t'One JSON object a line'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from decide" -l check -d 'Ask the program after --, which finds the name of the action in MQSAFE_EXEC_ID'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from decide" -l no-progress -d 'Show no progress bar and no progress lines'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from decide" -s q -l quiet -d 'The answer only; twice: nothing but the exit code'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from decide" -s v -l verbose -d 'More about what is done; up to three times'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from decide" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from fsck" -l spool -d 'The directory of the spool, also from MQSAFE_SPOOL; by default a store below the user\'s state directory that no other process uses' -r -F
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from fsck" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from fsck" -l log-format -d 'How log lines look on stderr' -r -f -a "text\t'Sentences'
json\t'One JSON object a line'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from fsck" -l repair -d 'Let the database mend its file, after a copy of it was made beside it'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from fsck" -l no-progress -d 'Show no progress bar and no progress lines'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from fsck" -s q -l quiet -d 'The answer only; twice: nothing but the exit code'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from fsck" -s v -l verbose -d 'More about what is done; up to three times'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from fsck" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from stats" -l spool -d 'The directory of the spool, also from MQSAFE_SPOOL; by default a store below the user\'s state directory that no other process uses' -r -F
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from stats" -l format -d 'How it is written' -r -f -a "human\t'A table'
json\t'One JSON object'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from stats" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from stats" -l log-format -d 'How log lines look on stderr' -r -f -a "text\t'Sentences'
json\t'One JSON object a line'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from stats" -l no-progress -d 'Show no progress bar and no progress lines'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from stats" -s q -l quiet -d 'The answer only; twice: nothing but the exit code'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from stats" -s v -l verbose -d 'More about what is done; up to three times'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand spool; and __fish_seen_subcommand_from stats" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and not __fish_seen_subcommand_from ls use show test import" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and not __fish_seen_subcommand_from ls use show test import" -l log-format -d 'How log lines look on stderr' -r -f -a "text\t'Sentences'
json\t'One JSON object a line'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and not __fish_seen_subcommand_from ls use show test import" -l no-progress -d 'Show no progress bar and no progress lines'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and not __fish_seen_subcommand_from ls use show test import" -s q -l quiet -d 'The answer only; twice: nothing but the exit code'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and not __fish_seen_subcommand_from ls use show test import" -s v -l verbose -d 'More about what is done; up to three times'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and not __fish_seen_subcommand_from ls use show test import" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and not __fish_seen_subcommand_from ls use show test import" -f -a "ls" -d 'List the contexts'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and not __fish_seen_subcommand_from ls use show test import" -f -a "use" -d 'Make a context the one that counts when none is named'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and not __fish_seen_subcommand_from ls use show test import" -f -a "show" -d 'Show what a command would connect with, secrets left out'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and not __fish_seen_subcommand_from ls use show test import" -f -a "test" -d 'Connect step by step and say which step fails'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and not __fish_seen_subcommand_from ls use show test import" -f -a "import" -d 'Take the connections of another tool'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from ls" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from ls" -l log-format -d 'How log lines look on stderr' -r -f -a "text\t'Sentences'
json\t'One JSON object a line'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from ls" -l no-progress -d 'Show no progress bar and no progress lines'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from ls" -s q -l quiet -d 'The answer only; twice: nothing but the exit code'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from ls" -s v -l verbose -d 'More about what is done; up to three times'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from use" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from use" -l log-format -d 'How log lines look on stderr' -r -f -a "text\t'Sentences'
json\t'One JSON object a line'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from use" -l no-progress -d 'Show no progress bar and no progress lines'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from use" -s q -l quiet -d 'The answer only; twice: nothing but the exit code'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from use" -s v -l verbose -d 'More about what is done; up to three times'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from use" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from show" -s b -l broker -d 'The broker: kafka://HOST:PORT,HOST:PORT (or a bare HOST:PORT), amqp://HOST, amqps://HOST or rocketmq://HOST:PORT; also from MQSAFE_BROKER, -F or a context' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from show" -s X -d 'A client property (can be repeated); secrets as KEY=@FILE or KEY=env:NAME' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from show" -s F -l config -d 'Client properties from a file of a Java client, librdkafka or kcat' -r -F
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from show" -s C -l context -d 'A context of ~/.config/mqsafe/config.yaml, also from MQSAFE_CONTEXT' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from show" -l management -d 'RabbitMQ\'s management API' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from show" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from show" -l log-format -d 'How log lines look on stderr' -r -f -a "text\t'Sentences'
json\t'One JSON object a line'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from show" -l origin -d 'Also where each value comes from'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from show" -l no-progress -d 'Show no progress bar and no progress lines'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from show" -s q -l quiet -d 'The answer only; twice: nothing but the exit code'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from show" -s v -l verbose -d 'More about what is done; up to three times'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from test" -s b -l broker -d 'The broker: kafka://HOST:PORT,HOST:PORT (or a bare HOST:PORT), amqp://HOST, amqps://HOST or rocketmq://HOST:PORT; also from MQSAFE_BROKER, -F or a context' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from test" -s X -d 'A client property (can be repeated); secrets as KEY=@FILE or KEY=env:NAME' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from test" -s F -l config -d 'Client properties from a file of a Java client, librdkafka or kcat' -r -F
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from test" -s C -l context -d 'A context of ~/.config/mqsafe/config.yaml, also from MQSAFE_CONTEXT' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from test" -l management -d 'RabbitMQ\'s management API' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from test" -s t -l topic -d 'Also whether this topic may be seen' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from test" -l timeout -d 'How long each step may take' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from test" -l format -d 'How the steps are written' -r -f -a "human\t'A table'
json\t'One JSON object (mqsafe.context/1)'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from test" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from test" -l log-format -d 'How log lines look on stderr' -r -f -a "text\t'Sentences'
json\t'One JSON object a line'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from test" -l no-progress -d 'Show no progress bar and no progress lines'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from test" -s q -l quiet -d 'The answer only; twice: nothing but the exit code'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from test" -s v -l verbose -d 'More about what is done; up to three times'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from test" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from import" -l prefix -d 'Put this before the name of each context' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from import" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from import" -l log-format -d 'How log lines look on stderr' -r -f -a "text\t'Sentences'
json\t'One JSON object a line'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from import" -l no-progress -d 'Show no progress bar and no progress lines'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from import" -s q -l quiet -d 'The answer only; twice: nothing but the exit code'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from import" -s v -l verbose -d 'More about what is done; up to three times'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand context; and __fish_seen_subcommand_from import" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand drill" -s b -l broker -d 'A real test cluster; by default librdkafka\'s mock cluster runs inside this process' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand drill" -s X -d 'A client property for the cluster (can be repeated); secrets as KEY=@FILE or KEY=env:NAME' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand drill" -l messages -d 'Messages in each run' -r
complete -c mqsafe -n "__fish_mqsafe_using_subcommand drill" -l only -d 'Only this run (can be repeated)' -r -f -a "short-timeout\t'message.timeout.ms shorter than an outage, and nobody reads the delivery reports'
no-retries\t'retries=0, and nobody reads the delivery reports'
no-flush\t'The process ends without a flush'
acks1\t'acks=1, and the leader dies before its followers have the message (real cluster)'
unclean\t'min.insync.replicas=1 with unclean leader election (real cluster)'
careful\t'`mqsafe send` as it is'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand drill" -l without -d 'Take one careless habit away and see the loss go with it (can be repeated)' -r -f -a "short-timeout\t'message.timeout.ms back to its default'
no-retries\t'retries back to their default'
acks1\t'acks back to all'
unread\t'Delivery reports are read, and what failed is sent again'
no-flush\t'A flush before the exit'
min-isr1\t'min.insync.replicas=2'
unclean\t'unclean.leader.election.enable=false'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand drill" -l format -d 'How the table is written' -r -f -a "human\t'For people'
json\t'One JSON object (mqsafe.drill/1)'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand drill" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand drill" -l log-format -d 'How log lines look on stderr' -r -f -a "text\t'Sentences'
json\t'One JSON object a line'"
complete -c mqsafe -n "__fish_mqsafe_using_subcommand drill" -l no-progress -d 'Show no progress bar and no progress lines'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand drill" -s q -l quiet -d 'The answer only; twice: nothing but the exit code'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand drill" -s v -l verbose -d 'More about what is done; up to three times'
complete -c mqsafe -n "__fish_mqsafe_using_subcommand drill" -s h -l help -d 'Print help (see more with \'--help\')'
