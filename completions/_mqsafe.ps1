
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'mqsafe' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'mqsafe'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'mqsafe' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How log lines look on stderr')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bar and no progress lines')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'The answer only; twice: nothing but the exit code')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'The answer only; twice: nothing but the exit code')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More about what is done; up to three times')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More about what is done; up to three times')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('audit', 'audit', [CompletionResultType]::ParameterValue, 'Can this setup lose messages? Lints broker, topic and client configuration')
            [CompletionResult]::new('send', 'send', [CompletionResultType]::ParameterValue, 'Did it really get there? Publishes, waits for the confirmation, and never loses what it accepted')
            [CompletionResult]::new('query-key', 'query-key', [CompletionResultType]::ParameterValue, 'Where is the message of this key? Finds it, and says whether the whole place was searched')
            [CompletionResult]::new('verify', 'verify', [CompletionResultType]::ParameterValue, 'Did we lose any? Reads the stamps and names every gap')
            [CompletionResult]::new('spool', 'spool', [CompletionResultType]::ParameterValue, 'What waits for its confirmation')
            [CompletionResult]::new('context', 'context', [CompletionResultType]::ParameterValue, 'Named connections, and whether they work')
            [CompletionResult]::new('drill', 'drill', [CompletionResultType]::ParameterValue, 'See messages die, and not die: careless producers and `send`, under the same faults')
            break
        }
        'mqsafe;audit' {
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'What "safe" means here: finance, orders, logs, or the path of a profile')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How findings are written')
            [CompletionResult]::new('--fail-on', '--fail-on', [CompletionResultType]::ParameterName, 'The lowest severity that makes the exit code 1')
            [CompletionResult]::new('--dialect', '--dialect', [CompletionResultType]::ParameterName, 'Read every given file as this dialect instead of recognising it')
            [CompletionResult]::new('--explain', '--explain', [CompletionResultType]::ParameterName, 'Explain one rule and stop')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How log lines look on stderr')
            [CompletionResult]::new('--list-rules', '--list-rules', [CompletionResultType]::ParameterName, 'List the rules and stop')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bar and no progress lines')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'The answer only; twice: nothing but the exit code')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'The answer only; twice: nothing but the exit code')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More about what is done; up to three times')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More about what is done; up to three times')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'mqsafe;send' {
            [CompletionResult]::new('-b', '-b', [CompletionResultType]::ParameterName, 'The broker: kafka://HOST:PORT,HOST:PORT (or a bare HOST:PORT), amqp://HOST, amqps://HOST or rocketmq://HOST:PORT; also from MQSAFE_BROKER, -F or a context')
            [CompletionResult]::new('--broker', '--broker', [CompletionResultType]::ParameterName, 'The broker: kafka://HOST:PORT,HOST:PORT (or a bare HOST:PORT), amqp://HOST, amqps://HOST or rocketmq://HOST:PORT; also from MQSAFE_BROKER, -F or a context')
            [CompletionResult]::new('-X', '-X ', [CompletionResultType]::ParameterName, 'A client property (can be repeated); secrets as KEY=@FILE or KEY=env:NAME')
            [CompletionResult]::new('-F', '-F ', [CompletionResultType]::ParameterName, 'Client properties from a file of a Java client, librdkafka or kcat')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Client properties from a file of a Java client, librdkafka or kcat')
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'A context of ~/.config/mqsafe/config.yaml, also from MQSAFE_CONTEXT')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'A context of ~/.config/mqsafe/config.yaml, also from MQSAFE_CONTEXT')
            [CompletionResult]::new('--management', '--management', [CompletionResultType]::ParameterName, 'RabbitMQ''s management API')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'The topic (Kafka, RocketMQ) or queue (RabbitMQ); it is never created by accident')
            [CompletionResult]::new('--topic', '--topic', [CompletionResultType]::ParameterName, 'The topic (Kafka, RocketMQ) or queue (RabbitMQ); it is never created by accident')
            [CompletionResult]::new('-e', '-e', [CompletionResultType]::ParameterName, 'The exchange to publish to (RabbitMQ)')
            [CompletionResult]::new('--exchange', '--exchange', [CompletionResultType]::ParameterName, 'The exchange to publish to (RabbitMQ)')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'The routing key to publish with (RabbitMQ)')
            [CompletionResult]::new('--routing-key', '--routing-key', [CompletionResultType]::ParameterName, 'The routing key to publish with (RabbitMQ)')
            [CompletionResult]::new('--input', '--input', [CompletionResultType]::ParameterName, 'How the input becomes messages')
            [CompletionResult]::new('--only-failed', '--only-failed', [CompletionResultType]::ParameterName, 'Send again those lines of FILE that were refused or rejected, by the receipts of an earlier run')
            [CompletionResult]::new('-k', '-k', [CompletionResultType]::ParameterName, 'The key of every message that has none of its own')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'The key of every message that has none of its own')
            [CompletionResult]::new('-K', '-K ', [CompletionResultType]::ParameterName, 'Split each line into key and value at the first DELIM')
            [CompletionResult]::new('--key-delimiter', '--key-delimiter', [CompletionResultType]::ParameterName, 'Split each line into key and value at the first DELIM')
            [CompletionResult]::new('-D', '-D ', [CompletionResultType]::ParameterName, 'Messages end with this text instead of the end of a line; \n, \r, \t, \0, \xNN and \\ are understood')
            [CompletionResult]::new('--delimiter', '--delimiter', [CompletionResultType]::ParameterName, 'Messages end with this text instead of the end of a line; \n, \r, \t, \0, \xNN and \\ are understood')
            [CompletionResult]::new('--key-column', '--key-column', [CompletionResultType]::ParameterName, 'CSV: the column that is the key')
            [CompletionResult]::new('--value-column', '--value-column', [CompletionResultType]::ParameterName, 'CSV: the column that is the payload; by default the whole row is, as a JSON object')
            [CompletionResult]::new('--header-columns', '--header-columns', [CompletionResultType]::ParameterName, 'CSV: columns that become headers')
            [CompletionResult]::new('--key-from', '--key-from', [CompletionResultType]::ParameterName, 'Files: what the key of each is')
            [CompletionResult]::new('--template', '--template', [CompletionResultType]::ParameterName, 'Make messages for a test instead of reading any: {seq}, {uuid}, {now}, {rand:N} and {key} are filled in')
            [CompletionResult]::new('--count', '--count', [CompletionResultType]::ParameterName, 'How many messages are made of --template')
            [CompletionResult]::new('--key-template', '--key-template', [CompletionResultType]::ParameterName, 'The keys of the messages made of --template')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'A header of every message (can be repeated)')
            [CompletionResult]::new('--header', '--header', [CompletionResultType]::ParameterName, 'A header of every message (can be repeated)')
            [CompletionResult]::new('--tag', '--tag', [CompletionResultType]::ParameterName, 'The tag of every message that has none of its own (RocketMQ)')
            [CompletionResult]::new('--idempotency-key', '--idempotency-key', [CompletionResultType]::ParameterName, 'Send a message once, however often it is given: key, header:NAME, json:/POINTER or column:NAME says what it is known by')
            [CompletionResult]::new('--dedupe-window', '--dedupe-window', [CompletionResultType]::ParameterName, 'How long an idempotency key is remembered')
            [CompletionResult]::new('--rate', '--rate', [CompletionResultType]::ParameterName, 'No more messages than this: 500, 500/s, 30/m')
            [CompletionResult]::new('--max-message-bytes', '--max-message-bytes', [CompletionResultType]::ParameterName, 'Reject messages longer than this')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'The partition (Kafka) or queue id (RocketMQ); by default it is chosen by key as Kafka''s Java client does')
            [CompletionResult]::new('--partition', '--partition', [CompletionResultType]::ParameterName, 'The partition (Kafka) or queue id (RocketMQ); by default it is chosen by key as Kafka''s Java client does')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'How long the broker may take to answer for the first time')
            [CompletionResult]::new('--delivery-timeout', '--delivery-timeout', [CompletionResultType]::ParameterName, 'How long to go on without any message being confirmed')
            [CompletionResult]::new('--grace', '--grace', [CompletionResultType]::ParameterName, 'How long the first Ctrl-C waits for what is in flight')
            [CompletionResult]::new('--receipts', '--receipts', [CompletionResultType]::ParameterName, 'Write what became of each message, one JSON object a line; - is standard output')
            [CompletionResult]::new('--spool', '--spool', [CompletionResultType]::ParameterName, 'The directory of the spool, also from MQSAFE_SPOOL; by default a store below the user''s state directory that no other process uses')
            [CompletionResult]::new('--spool-limit', '--spool-limit', [CompletionResultType]::ParameterName, 'Accept nothing more once the spool''s file would grow beyond this; k, M and G are powers of 1024')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How log lines look on stderr')
            [CompletionResult]::new('--resume', '--resume', [CompletionResultType]::ParameterName, 'Go on after the last accepted line of FILE')
            [CompletionResult]::new('-0', '-0', [CompletionResultType]::ParameterName, 'Messages end with a NUL, as those of find -print0')
            [CompletionResult]::new('--null', '--null', [CompletionResultType]::ParameterName, 'Messages end with a NUL, as those of find -print0')
            [CompletionResult]::new('--keep-partition', '--keep-partition', [CompletionResultType]::ParameterName, 'JSONL: send each record to the partition that it names')
            [CompletionResult]::new('--strict', '--strict', [CompletionResultType]::ParameterName, 'Stop reading at the first line that cannot be read, instead of rejecting it and going on')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Read and judge the input and look at the topic, but send and store nothing')
            [CompletionResult]::new('--no-spool', '--no-spool', [CompletionResultType]::ParameterName, 'Send without a spool: what is not confirmed when this ends is not kept')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bar and no progress lines')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'The answer only; twice: nothing but the exit code')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'The answer only; twice: nothing but the exit code')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More about what is done; up to three times')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More about what is done; up to three times')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'mqsafe;query-key' {
            [CompletionResult]::new('-b', '-b', [CompletionResultType]::ParameterName, 'The broker: kafka://HOST:PORT,HOST:PORT (or a bare HOST:PORT), amqp://HOST, amqps://HOST or rocketmq://HOST:PORT; also from MQSAFE_BROKER, -F or a context')
            [CompletionResult]::new('--broker', '--broker', [CompletionResultType]::ParameterName, 'The broker: kafka://HOST:PORT,HOST:PORT (or a bare HOST:PORT), amqp://HOST, amqps://HOST or rocketmq://HOST:PORT; also from MQSAFE_BROKER, -F or a context')
            [CompletionResult]::new('-X', '-X ', [CompletionResultType]::ParameterName, 'A client property (can be repeated); secrets as KEY=@FILE or KEY=env:NAME')
            [CompletionResult]::new('-F', '-F ', [CompletionResultType]::ParameterName, 'Client properties from a file of a Java client, librdkafka or kcat')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Client properties from a file of a Java client, librdkafka or kcat')
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'A context of ~/.config/mqsafe/config.yaml, also from MQSAFE_CONTEXT')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'A context of ~/.config/mqsafe/config.yaml, also from MQSAFE_CONTEXT')
            [CompletionResult]::new('--management', '--management', [CompletionResultType]::ParameterName, 'RabbitMQ''s management API')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'The topic (Kafka, RocketMQ) or queue (RabbitMQ)')
            [CompletionResult]::new('--topic', '--topic', [CompletionResultType]::ParameterName, 'The topic (Kafka, RocketMQ) or queue (RabbitMQ)')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Only these partitions: 0,2,5-7')
            [CompletionResult]::new('--partitions', '--partitions', [CompletionResultType]::ParameterName, 'Only these partitions: 0,2,5-7')
            [CompletionResult]::new('--isolation', '--isolation', [CompletionResultType]::ParameterName, 'Whether messages of open or aborted transactions count')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How messages are written')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How log lines look on stderr')
            [CompletionResult]::new('--peek', '--peek', [CompletionResultType]::ParameterName, 'Fetch the messages of a RabbitMQ queue that keeps no history, and put them back: they are marked as redelivered, their order may change, and quorum queues count it as a delivery')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bar and no progress lines')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'The answer only; twice: nothing but the exit code')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'The answer only; twice: nothing but the exit code')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More about what is done; up to three times')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More about what is done; up to three times')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'mqsafe;verify' {
            [CompletionResult]::new('-b', '-b', [CompletionResultType]::ParameterName, 'The broker: kafka://HOST:PORT,HOST:PORT (or a bare HOST:PORT), amqp://HOST, amqps://HOST or rocketmq://HOST:PORT; also from MQSAFE_BROKER, -F or a context')
            [CompletionResult]::new('--broker', '--broker', [CompletionResultType]::ParameterName, 'The broker: kafka://HOST:PORT,HOST:PORT (or a bare HOST:PORT), amqp://HOST, amqps://HOST or rocketmq://HOST:PORT; also from MQSAFE_BROKER, -F or a context')
            [CompletionResult]::new('-X', '-X ', [CompletionResultType]::ParameterName, 'A client property (can be repeated); secrets as KEY=@FILE or KEY=env:NAME')
            [CompletionResult]::new('-F', '-F ', [CompletionResultType]::ParameterName, 'Client properties from a file of a Java client, librdkafka or kcat')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Client properties from a file of a Java client, librdkafka or kcat')
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'A context of ~/.config/mqsafe/config.yaml, also from MQSAFE_CONTEXT')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'A context of ~/.config/mqsafe/config.yaml, also from MQSAFE_CONTEXT')
            [CompletionResult]::new('--management', '--management', [CompletionResultType]::ParameterName, 'RabbitMQ''s management API')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'The topic')
            [CompletionResult]::new('--topic', '--topic', [CompletionResultType]::ParameterName, 'The topic')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Only these partitions: 0,2,5-7')
            [CompletionResult]::new('--partitions', '--partitions', [CompletionResultType]::ParameterName, 'Only these partitions: 0,2,5-7')
            [CompletionResult]::new('--deny', '--deny', [CompletionResultType]::ParameterName, 'Also call these anomalies: exit 1')
            [CompletionResult]::new('--isolation', '--isolation', [CompletionResultType]::ParameterName, 'Whether messages of open or aborted transactions count')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How the verdict is written')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How log lines look on stderr')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bar and no progress lines')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'The answer only; twice: nothing but the exit code')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'The answer only; twice: nothing but the exit code')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More about what is done; up to three times')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More about what is done; up to three times')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'mqsafe;spool' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How log lines look on stderr')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bar and no progress lines')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'The answer only; twice: nothing but the exit code')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'The answer only; twice: nothing but the exit code')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More about what is done; up to three times')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More about what is done; up to three times')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('flush', 'flush', [CompletionResultType]::ParameterValue, 'Deliver everything that waits')
            [CompletionResult]::new('stats', 'stats', [CompletionResultType]::ParameterValue, 'Say how much waits, failed and was confirmed')
            break
        }
        'mqsafe;spool;flush' {
            [CompletionResult]::new('--spool', '--spool', [CompletionResultType]::ParameterName, 'The directory of the spool, also from MQSAFE_SPOOL; by default a store below the user''s state directory that no other process uses')
            [CompletionResult]::new('-X', '-X ', [CompletionResultType]::ParameterName, 'A client property (can be repeated); secrets as KEY=@FILE or KEY=env:NAME')
            [CompletionResult]::new('-F', '-F ', [CompletionResultType]::ParameterName, 'Client properties from a file of a Java client, librdkafka or kcat')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Client properties from a file of a Java client, librdkafka or kcat')
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'A context of ~/.config/mqsafe/config.yaml, also from MQSAFE_CONTEXT')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'A context of ~/.config/mqsafe/config.yaml, also from MQSAFE_CONTEXT')
            [CompletionResult]::new('--management', '--management', [CompletionResultType]::ParameterName, 'RabbitMQ''s management API')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'How long the broker may take to answer for the first time')
            [CompletionResult]::new('--delivery-timeout', '--delivery-timeout', [CompletionResultType]::ParameterName, 'How long to go on without any message being confirmed')
            [CompletionResult]::new('--grace', '--grace', [CompletionResultType]::ParameterName, 'How long the first Ctrl-C waits for what is in flight')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How log lines look on stderr')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bar and no progress lines')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'The answer only; twice: nothing but the exit code')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'The answer only; twice: nothing but the exit code')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More about what is done; up to three times')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More about what is done; up to three times')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'mqsafe;spool;stats' {
            [CompletionResult]::new('--spool', '--spool', [CompletionResultType]::ParameterName, 'The directory of the spool, also from MQSAFE_SPOOL; by default a store below the user''s state directory that no other process uses')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How it is written')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How log lines look on stderr')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bar and no progress lines')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'The answer only; twice: nothing but the exit code')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'The answer only; twice: nothing but the exit code')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More about what is done; up to three times')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More about what is done; up to three times')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'mqsafe;context' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How log lines look on stderr')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bar and no progress lines')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'The answer only; twice: nothing but the exit code')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'The answer only; twice: nothing but the exit code')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More about what is done; up to three times')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More about what is done; up to three times')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('ls', 'ls', [CompletionResultType]::ParameterValue, 'List the contexts')
            [CompletionResult]::new('use', 'use', [CompletionResultType]::ParameterValue, 'Make a context the one that counts when none is named')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show what a command would connect with, secrets left out')
            [CompletionResult]::new('test', 'test', [CompletionResultType]::ParameterValue, 'Connect step by step and say which step fails')
            [CompletionResult]::new('import', 'import', [CompletionResultType]::ParameterValue, 'Take the connections of another tool')
            break
        }
        'mqsafe;context;ls' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How log lines look on stderr')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bar and no progress lines')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'The answer only; twice: nothing but the exit code')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'The answer only; twice: nothing but the exit code')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More about what is done; up to three times')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More about what is done; up to three times')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'mqsafe;context;use' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How log lines look on stderr')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bar and no progress lines')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'The answer only; twice: nothing but the exit code')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'The answer only; twice: nothing but the exit code')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More about what is done; up to three times')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More about what is done; up to three times')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'mqsafe;context;show' {
            [CompletionResult]::new('-b', '-b', [CompletionResultType]::ParameterName, 'The broker: kafka://HOST:PORT,HOST:PORT (or a bare HOST:PORT), amqp://HOST, amqps://HOST or rocketmq://HOST:PORT; also from MQSAFE_BROKER, -F or a context')
            [CompletionResult]::new('--broker', '--broker', [CompletionResultType]::ParameterName, 'The broker: kafka://HOST:PORT,HOST:PORT (or a bare HOST:PORT), amqp://HOST, amqps://HOST or rocketmq://HOST:PORT; also from MQSAFE_BROKER, -F or a context')
            [CompletionResult]::new('-X', '-X ', [CompletionResultType]::ParameterName, 'A client property (can be repeated); secrets as KEY=@FILE or KEY=env:NAME')
            [CompletionResult]::new('-F', '-F ', [CompletionResultType]::ParameterName, 'Client properties from a file of a Java client, librdkafka or kcat')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Client properties from a file of a Java client, librdkafka or kcat')
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'A context of ~/.config/mqsafe/config.yaml, also from MQSAFE_CONTEXT')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'A context of ~/.config/mqsafe/config.yaml, also from MQSAFE_CONTEXT')
            [CompletionResult]::new('--management', '--management', [CompletionResultType]::ParameterName, 'RabbitMQ''s management API')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How log lines look on stderr')
            [CompletionResult]::new('--origin', '--origin', [CompletionResultType]::ParameterName, 'Also where each value comes from')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bar and no progress lines')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'The answer only; twice: nothing but the exit code')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'The answer only; twice: nothing but the exit code')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More about what is done; up to three times')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More about what is done; up to three times')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'mqsafe;context;test' {
            [CompletionResult]::new('-b', '-b', [CompletionResultType]::ParameterName, 'The broker: kafka://HOST:PORT,HOST:PORT (or a bare HOST:PORT), amqp://HOST, amqps://HOST or rocketmq://HOST:PORT; also from MQSAFE_BROKER, -F or a context')
            [CompletionResult]::new('--broker', '--broker', [CompletionResultType]::ParameterName, 'The broker: kafka://HOST:PORT,HOST:PORT (or a bare HOST:PORT), amqp://HOST, amqps://HOST or rocketmq://HOST:PORT; also from MQSAFE_BROKER, -F or a context')
            [CompletionResult]::new('-X', '-X ', [CompletionResultType]::ParameterName, 'A client property (can be repeated); secrets as KEY=@FILE or KEY=env:NAME')
            [CompletionResult]::new('-F', '-F ', [CompletionResultType]::ParameterName, 'Client properties from a file of a Java client, librdkafka or kcat')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Client properties from a file of a Java client, librdkafka or kcat')
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'A context of ~/.config/mqsafe/config.yaml, also from MQSAFE_CONTEXT')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'A context of ~/.config/mqsafe/config.yaml, also from MQSAFE_CONTEXT')
            [CompletionResult]::new('--management', '--management', [CompletionResultType]::ParameterName, 'RabbitMQ''s management API')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Also whether this topic may be seen')
            [CompletionResult]::new('--topic', '--topic', [CompletionResultType]::ParameterName, 'Also whether this topic may be seen')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'How long each step may take')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How the steps are written')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How log lines look on stderr')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bar and no progress lines')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'The answer only; twice: nothing but the exit code')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'The answer only; twice: nothing but the exit code')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More about what is done; up to three times')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More about what is done; up to three times')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'mqsafe;context;import' {
            [CompletionResult]::new('--prefix', '--prefix', [CompletionResultType]::ParameterName, 'Put this before the name of each context')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How log lines look on stderr')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bar and no progress lines')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'The answer only; twice: nothing but the exit code')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'The answer only; twice: nothing but the exit code')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More about what is done; up to three times')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More about what is done; up to three times')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'mqsafe;drill' {
            [CompletionResult]::new('-b', '-b', [CompletionResultType]::ParameterName, 'A real test cluster; by default librdkafka''s mock cluster runs inside this process')
            [CompletionResult]::new('--broker', '--broker', [CompletionResultType]::ParameterName, 'A real test cluster; by default librdkafka''s mock cluster runs inside this process')
            [CompletionResult]::new('-X', '-X ', [CompletionResultType]::ParameterName, 'A client property for the cluster (can be repeated); secrets as KEY=@FILE or KEY=env:NAME')
            [CompletionResult]::new('--messages', '--messages', [CompletionResultType]::ParameterName, 'Messages in each run')
            [CompletionResult]::new('--only', '--only', [CompletionResultType]::ParameterName, 'Only this run (can be repeated)')
            [CompletionResult]::new('--without', '--without', [CompletionResultType]::ParameterName, 'Take one careless habit away and see the loss go with it (can be repeated)')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How the table is written')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colour')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How log lines look on stderr')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bar and no progress lines')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'The answer only; twice: nothing but the exit code')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'The answer only; twice: nothing but the exit code')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More about what is done; up to three times')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More about what is done; up to three times')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
