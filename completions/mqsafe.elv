
use builtin;
use str;

set edit:completion:arg-completer[mqsafe] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'mqsafe'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'mqsafe'= {
            cand --color 'When to use colour'
            cand --log-format 'How log lines look on stderr'
            cand --no-progress 'Show no progress bar and no progress lines'
            cand -q 'The answer only; twice: nothing but the exit code'
            cand --quiet 'The answer only; twice: nothing but the exit code'
            cand -v 'More about what is done; up to three times'
            cand --verbose 'More about what is done; up to three times'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
            cand audit 'Can this setup lose messages? Lints broker, topic and client configuration'
            cand send 'Did it really get there? Publishes, waits for the confirmation, and never loses what it accepted'
            cand query-key 'Where is the message of this key? Finds it, and says whether the whole place was searched'
            cand verify 'Did we lose any? Reads the stamps and names every gap'
            cand spool 'What waits for its confirmation'
            cand drill 'See messages die, and not die: careless producers and `send`, under the same faults'
        }
        &'mqsafe;audit'= {
            cand --profile 'What "safe" means here: finance, orders, logs, or the path of a profile'
            cand --format 'How findings are written'
            cand --fail-on 'The lowest severity that makes the exit code 1'
            cand --dialect 'Read every given file as this dialect instead of recognising it'
            cand --explain 'Explain one rule and stop'
            cand --color 'When to use colour'
            cand --log-format 'How log lines look on stderr'
            cand --list-rules 'List the rules and stop'
            cand --no-progress 'Show no progress bar and no progress lines'
            cand -q 'The answer only; twice: nothing but the exit code'
            cand --quiet 'The answer only; twice: nothing but the exit code'
            cand -v 'More about what is done; up to three times'
            cand --verbose 'More about what is done; up to three times'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'mqsafe;send'= {
            cand -b 'The broker: kafka://HOST:PORT,HOST:PORT or a bare HOST:PORT'
            cand --broker 'The broker: kafka://HOST:PORT,HOST:PORT or a bare HOST:PORT'
            cand -X 'A client property (can be repeated); secrets as KEY=@FILE or KEY=env:NAME'
            cand -t 'The topic; it is never created by accident'
            cand --topic 'The topic; it is never created by accident'
            cand -k 'The key of every message'
            cand --key 'The key of every message'
            cand -K 'Split each line into key and value at the first DELIM'
            cand --key-delimiter 'Split each line into key and value at the first DELIM'
            cand -H 'A header of every message (can be repeated)'
            cand --header 'A header of every message (can be repeated)'
            cand -p 'The partition; by default it is chosen by key as the Java client does'
            cand --partition 'The partition; by default it is chosen by key as the Java client does'
            cand --receipts 'Write what became of each message, one JSON object a line; - is standard output'
            cand --spool 'The directory of the spool, also from MQSAFE_SPOOL; by default a store below the user''s state directory that no other process uses'
            cand --connect-timeout 'How long the broker may take to answer for the first time'
            cand --delivery-timeout 'How long to go on without any message being confirmed'
            cand --grace 'How long the first Ctrl-C waits for what is in flight'
            cand --max-message-bytes 'Reject lines longer than this'
            cand --color 'When to use colour'
            cand --log-format 'How log lines look on stderr'
            cand --resume 'Go on after the last accepted line of FILE'
            cand --no-spool 'Send without a spool: what is not confirmed when this ends is not kept'
            cand --no-progress 'Show no progress bar and no progress lines'
            cand -q 'The answer only; twice: nothing but the exit code'
            cand --quiet 'The answer only; twice: nothing but the exit code'
            cand -v 'More about what is done; up to three times'
            cand --verbose 'More about what is done; up to three times'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'mqsafe;query-key'= {
            cand -b 'The broker: kafka://HOST:PORT,HOST:PORT or a bare HOST:PORT'
            cand --broker 'The broker: kafka://HOST:PORT,HOST:PORT or a bare HOST:PORT'
            cand -X 'A client property (can be repeated); secrets as KEY=@FILE or KEY=env:NAME'
            cand -t 'The topic'
            cand --topic 'The topic'
            cand -p 'Only these partitions: 0,2,5-7'
            cand --partitions 'Only these partitions: 0,2,5-7'
            cand --isolation 'Whether messages of open or aborted transactions count'
            cand --format 'How messages are written'
            cand --color 'When to use colour'
            cand --log-format 'How log lines look on stderr'
            cand --no-progress 'Show no progress bar and no progress lines'
            cand -q 'The answer only; twice: nothing but the exit code'
            cand --quiet 'The answer only; twice: nothing but the exit code'
            cand -v 'More about what is done; up to three times'
            cand --verbose 'More about what is done; up to three times'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'mqsafe;verify'= {
            cand -b 'The broker: kafka://HOST:PORT,HOST:PORT or a bare HOST:PORT'
            cand --broker 'The broker: kafka://HOST:PORT,HOST:PORT or a bare HOST:PORT'
            cand -X 'A client property (can be repeated); secrets as KEY=@FILE or KEY=env:NAME'
            cand -t 'The topic'
            cand --topic 'The topic'
            cand -p 'Only these partitions: 0,2,5-7'
            cand --partitions 'Only these partitions: 0,2,5-7'
            cand --deny 'Also call these anomalies: exit 1'
            cand --isolation 'Whether messages of open or aborted transactions count'
            cand --format 'How the verdict is written'
            cand --color 'When to use colour'
            cand --log-format 'How log lines look on stderr'
            cand --no-progress 'Show no progress bar and no progress lines'
            cand -q 'The answer only; twice: nothing but the exit code'
            cand --quiet 'The answer only; twice: nothing but the exit code'
            cand -v 'More about what is done; up to three times'
            cand --verbose 'More about what is done; up to three times'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'mqsafe;spool'= {
            cand --color 'When to use colour'
            cand --log-format 'How log lines look on stderr'
            cand --no-progress 'Show no progress bar and no progress lines'
            cand -q 'The answer only; twice: nothing but the exit code'
            cand --quiet 'The answer only; twice: nothing but the exit code'
            cand -v 'More about what is done; up to three times'
            cand --verbose 'More about what is done; up to three times'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand flush 'Deliver everything that waits'
            cand stats 'Say how much waits, failed and was confirmed'
        }
        &'mqsafe;spool;flush'= {
            cand --spool 'The directory of the spool, also from MQSAFE_SPOOL; by default a store below the user''s state directory that no other process uses'
            cand -X 'A client property (can be repeated); secrets as KEY=@FILE or KEY=env:NAME'
            cand --connect-timeout 'How long the broker may take to answer for the first time'
            cand --delivery-timeout 'How long to go on without any message being confirmed'
            cand --grace 'How long the first Ctrl-C waits for what is in flight'
            cand --color 'When to use colour'
            cand --log-format 'How log lines look on stderr'
            cand --no-progress 'Show no progress bar and no progress lines'
            cand -q 'The answer only; twice: nothing but the exit code'
            cand --quiet 'The answer only; twice: nothing but the exit code'
            cand -v 'More about what is done; up to three times'
            cand --verbose 'More about what is done; up to three times'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'mqsafe;spool;stats'= {
            cand --spool 'The directory of the spool, also from MQSAFE_SPOOL; by default a store below the user''s state directory that no other process uses'
            cand --format 'How it is written'
            cand --color 'When to use colour'
            cand --log-format 'How log lines look on stderr'
            cand --no-progress 'Show no progress bar and no progress lines'
            cand -q 'The answer only; twice: nothing but the exit code'
            cand --quiet 'The answer only; twice: nothing but the exit code'
            cand -v 'More about what is done; up to three times'
            cand --verbose 'More about what is done; up to three times'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'mqsafe;drill'= {
            cand -b 'A real test cluster; by default librdkafka''s mock cluster runs inside this process'
            cand --broker 'A real test cluster; by default librdkafka''s mock cluster runs inside this process'
            cand -X 'A client property for the cluster (can be repeated); secrets as KEY=@FILE or KEY=env:NAME'
            cand --messages 'Messages in each run'
            cand --only 'Only this run (can be repeated)'
            cand --without 'Take one careless habit away and see the loss go with it (can be repeated)'
            cand --format 'How the table is written'
            cand --color 'When to use colour'
            cand --log-format 'How log lines look on stderr'
            cand --no-progress 'Show no progress bar and no progress lines'
            cand -q 'The answer only; twice: nothing but the exit code'
            cand --quiet 'The answer only; twice: nothing but the exit code'
            cand -v 'More about what is done; up to three times'
            cand --verbose 'More about what is done; up to three times'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
    ]
    $completions[$command]
}
