# shellcheck shell=bash disable=SC2034
# Common ground of the scripts in this folder; sourced, never run.
# Every stdout line is KEY=value, read by tests; all talk goes to stderr.
# Exit codes: 0 done, 2 wrong usage, 3 a broker or what it needs is not there.
set -uo pipefail

HERE=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
BROKERS_DIR=$(realpath -m "${MQSAFE_BROKERS_DIR:-${TMPDIR:-/tmp}/mqsafe-brokers-$UID}")
CACHE=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/mqsafe
WAIT=${MQSAFE_BROKERS_WAIT:-300}

# Kafka last: its formatting then overlaps with the start of the others.
BROKERS=(rabbitmq rocketmq rocketmq_acl kafka)
declare -A NODES=([kafka]='1 2 3' [rocketmq]='namesrv master slave' [rocketmq_acl]='namesrv broker' [rabbitmq]=server [rabbitmq4]=server
    [rabbitmq_cluster]='1 2 3')
# Helpers live and die with their broker; kill, stop and cont leave them alone.
declare -A HELPERS=([kafka]=oidc [rocketmq]=proxy [rabbitmq]='epmd proxy' [rabbitmq4]='epmd proxy'
    [rabbitmq_cluster]=epmd)

say() { printf 'brokers: %s\n' "$*" >&2; }
die() { local code=$1; shift; say "$*"; exit "$code"; }

# call WHAT BROKER …: the function of the broker's file; RabbitMQ 4 is 3.10's code in another root.
call() { "${2%4}_$1" "${@:2}"; }

# --- what was typed: BROKER [NODE…] [BROKER [NODE…]]…
ORDER=()
declare -A CHOSEN=()
choose() {
    local word broker=
    for word; do
        if [[ -n ${NODES[$word]:-} ]]; then
            broker=$word
            [[ -v CHOSEN[$broker] ]] || { ORDER+=("$broker"); CHOSEN[$broker]=; }
        elif [[ -n $broker && " ${NODES[$broker]} " == *" $word "* ]]; then
            CHOSEN[$broker]+=" $word"
        else
            [[ $word == -h || $word == --help ]] || say "not understood: $word"
            say "usage: ${0##*/} [BROKER [NODE…]]…   brokers and their nodes:"
            for broker in "${!NODES[@]}"; do say "  $broker: ${NODES[$broker]}"; done
            [[ $word == -h || $word == --help ]] && exit 0
            exit 2
        fi
    done
}
choose_some() { if [[ $# -gt 0 ]]; then choose "$@"; else choose '(no broker named)'; fi; }
chosen_nodes() { printf '%s' "${CHOSEN[$1]:-${NODES[$1]}}"; }
configured() { [[ -e $BROKERS_DIR/$1/ports ]]; }
need_configured() {
    local broker
    for broker in "${ORDER[@]}"; do configured "$broker" || die 3 "$broker was not started: use up"; done
}

# --- the directory and its locks
# A script holds the brokers that it was asked for, so that one waits for nobody else's broker. Whoever is at work shares the
# lock of the directory, which `down` needs for itself to remove it; so it counts only while the path still names it.
LOCKS=()
lock_dir() {
    local fd broker
    [[ $BROKERS_DIR != *[[:space:]]* ]] || die 2 "$BROKERS_DIR: a path with white space cannot be used"
    while :; do
        (umask 077 && mkdir -p "$BROKERS_DIR") || die 3 "cannot create $BROKERS_DIR"
        [[ -O $BROKERS_DIR ]] || die 3 "$BROKERS_DIR belongs to somebody else: set MQSAFE_BROKERS_DIR"
        # `down` removes the directory: never adopt one that holds somebody's files.
        [[ -e $BROKERS_DIR/.mqsafe-brokers || -z $(ls -A "$BROKERS_DIR") ]] ||
            die 2 "$BROKERS_DIR is not empty and not ours: set MQSAFE_BROKERS_DIR"
        : >>"$BROKERS_DIR/.mqsafe-brokers" || continue
        exec {fd}<>"$BROKERS_DIR/.mqsafe-brokers" || continue
        flock -s -w 600 "$fd" || die 3 "another script has held $BROKERS_DIR for 10 minutes"
        [[ /dev/fd/$fd -ef $BROKERS_DIR/.mqsafe-brokers ]] && break
        exec {fd}>&-
    done
    LOCKS=("$fd")
    # In one order for all scripts, or two of them could wait for each other.
    while read -r broker; do
        exec {fd}>>"$BROKERS_DIR/.$broker.lock" || die 3 "cannot write to $BROKERS_DIR"
        LOCKS+=("$fd")
        flock -w 600 "$fd" || die 3 "another script has held $broker in $BROKERS_DIR for 10 minutes"
    done < <(printf '%s\n' "${ORDER[@]}" | sort -u)
}
# Whether nobody else is at work in the directory, and nobody comes as long as this script runs.
lock_alone() { flock -n "${LOCKS[0]}"; }

# What several scripts build together in the cache is held by one of them at a time.
HELD=
hold() { # FILE SECONDS
    mkdir -p "${1%/*}" || die 3 "cannot write to ${1%/*}"
    exec {HELD}>>"$1" || die 3 "cannot write to $1"
    flock -w "$2" "$HELD" || die 3 "another script has held $1 for $2 s"
}
release() { exec {HELD}>&-; }
# By renaming: a script that is killed leaves the old text or the new, never half of it.
replace() { # FILE TEXT
    { printf %s "$2" >"$1.new" && mv "$1.new" "$1"; } || die 3 "cannot write $1"
}

# What `configure` gave a node stands in the place of its own settings; a name alone takes the setting away.
overlaid() { # BROKER NODE <SETTINGS
    local given=$BROKERS_DIR/$1/$2/given
    [[ -s $given ]] || { cat; return; }
    awk '
        function name(line) { return index(line, "=") ? substr(line, 1, index(line, "=") - 1) : line }
        NR == FNR { key = name($0); order[++n] = key; given[key] = index($0, "=") ? $0 : ""; next }
        !(name($0) in given) { print; next }
        { key = name($0); if (given[key] != "") print given[key]; given[key] = "" }
        END { for (i = 1; i <= n; i++) if (given[order[i]] != "") print given[order[i]] }' "$given" -
}

# --- processes
# A pid alone may have been recycled: it counts only with the start time that was recorded with it.
read_proc() {
    local stat
    { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
    # The name in parentheses may hold spaces and parentheses itself.
    read -ra stat <<<"${stat##*) }"
    PSTATE=${stat[0]} PSTART=${stat[19]}
}

node_state() { # BROKER NODE -> STATE, PID
    local start
    STATE=down PID=
    { read -r PID start <"$BROKERS_DIR/$1/$2/pid"; } 2>/dev/null || return 0
    STATE=dead
    read_proc "$PID" && [[ $PSTART == "$start" ]] || return 0
    case $PSTATE in
        Z | X) ;;
        T) STATE=stopped ;;
        *) STATE=running ;;
    esac
}
alive() { node_state "$1" "$2"; [[ $STATE == running || $STATE == stopped ]]; }
in_state() { node_state "$2" "$3"; [[ $STATE == "$1" ]]; }
running() { in_state running "$@"; }
gone() { ! alive "$1" "$2"; }

send_signal() { # SIGNAL BROKER NODE
    ! alive "$2" "$3" || kill -s "$1" "$PID" 2>/dev/null || :
}

await() { # SECONDS TEST…
    local end=$((SECONDS + $1)); shift
    until "$@"; do
        ((SECONDS < end)) || return 1
        sleep 0.1
    done
}

# A session of its own, so a Ctrl-C meant for the script does not reach the broker; the pid is recorded
# before the process becomes the broker, so a killed script leaves nothing that `down` does not know.
launch() { # BROKER NODE COMMAND…
    local dir=$BROKERS_DIR/$1/$2 fd
    say "starting $1 $2"
    rm -f "$dir/pid"
    (
        for fd in "${LOCKS[@]}"; do exec {fd}>&-; done
        exec </dev/null >>"$dir/out.log" 2>&1
        cd "$dir" && read_proc "$BASHPID" && printf '%s %s\n' "$BASHPID" "$PSTART" >pid.new && mv pid.new pid &&
            exec setsid "${@:3}"
    ) &
    await 10 test -e "$dir/pid" || die 3 "$1 $2 could not be started"
}

stop_gracefully() { # SECONDS BROKER NODE…
    local seconds=$1 broker=$2 node; shift 2
    for node; do
        send_signal TERM "$broker" "$node"
        send_signal CONT "$broker" "$node"
    done
    for node; do
        await "$seconds" gone "$broker" "$node" && continue
        say "$broker $node did not end within $seconds s of TERM: KILL"
        send_signal KILL "$broker" "$node"
        seconds=1
    done
    await 30 all_gone "$broker" "$@" || die 3 "$broker: still alive after KILL"
}

signal_all() { # SIGNAL STATE-AFTER WORD…; a node that is in that state already is left alone
    local signal=$1 after=$2 broker node nodes; shift 2
    choose_some "$@"
    need_configured
    lock_dir
    for broker in "${ORDER[@]}"; do
        read -ra nodes <<<"$(chosen_nodes "$broker")"
        for node in "${nodes[@]}"; do
            node_state "$broker" "$node"
            [[ $STATE == running || $STATE == stopped || $STATE == "$after" ]] || die 3 "$broker $node is $STATE: no process for SIG$signal"
        done
        for node in "${nodes[@]}"; do send_signal "$signal" "$broker" "$node"; done
        for node in "${nodes[@]}"; do
            await 30 in_state "$after" "$broker" "$node" || die 3 "$broker $node is $STATE, not $after, after SIG$signal"
        done
        print_states "$broker" "${nodes[@]}" || :
    done
}
all_gone() { local broker=$1 node; shift; for node; do gone "$broker" "$node" || return 1; done; }

# --- ports
# Below the range from which Linux takes ports for outgoing connections, so that nobody gets the port of a
# node that is down; blocks of three, because a RocketMQ broker also takes the port two below its own.
# The register keeps clusters of other directories apart while their nodes are down.
reserve_ports() { # BROKER NAME…
    local broker=$1 name port used register=$CACHE/ports dir keep='' lines=''
    shift
    if configured "$broker"; then
        for name; do
            [[ -n $(port "$broker" "$name") ]] || die 3 "$broker was started by scripts that knew fewer ports: down and up again"
        done
        return
    fi
    mkdir -p "$BROKERS_DIR/$broker"
    hold "$register.lock" 60
    [[ ! -e $register ]] || while read -r port dir; do
        [[ ! -e $dir/ports ]] || keep+="$port $dir"$'\n'
    done <"$register"
    used=$(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null)
    for name; do
        while :; do
            port=$((20000 + 3 * (RANDOM % 4000) + 2))
            [[ $keep != *"$port "* ]] || continue
            [[ $used != *:$(printf %04X $((port - 2)))\ * && $used != *:$(printf %04X $((port - 1)))\ * &&
                $used != *:$(printf %04X "$port")\ * ]] && break
        done
        keep+="$port $BROKERS_DIR/$broker"$'\n'
        lines+="$name=$port"$'\n'
    done
    replace "$register" "$keep"
    replace "$BROKERS_DIR/$broker/ports" "$lines"
    release
}
port() { sed -n "s/^$2=//p" "$BROKERS_DIR/$1/ports"; } # BROKER NAME
listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# --- start and wait
start_nodes() { # BROKER NODE…: what is dead is started, what SIGSTOP holds goes on
    local broker=$1 node dead=() preparing; shift
    for node in ${HELPERS[$broker]:-} "$@"; do
        node_state "$broker" "$node"
        case $STATE in
            running) ;;
            stopped) say "continuing $broker $node"; send_signal CONT "$broker" "$node"; await 10 running "$broker" "$node" ;;
            *) dead+=("$node") ;;
        esac
    done
    # Certificates and ports are made for all brokers.
    exec {preparing}>>"$BROKERS_DIR/.preparing" || die 3 "cannot write to $BROKERS_DIR"
    flock -w 600 "$preparing" || die 3 "another script has prepared a broker in $BROKERS_DIR for 10 minutes"
    call prepare "$broker" "${dead[@]}"
    exec {preparing}>&-
    for node in "${dead[@]}"; do call launch "$broker" "$node"; done
}

NOT_YET='' ANSWER=''
await_ready() { # BROKER…
    local broker node pending=("$@") rest end=$((SECONDS + WAIT))
    while :; do
        rest=()
        for broker in "${pending[@]}"; do
            for node in $(chosen_nodes "$broker"); do
                running "$broker" "$node" || give_up "$broker" "$node is $STATE"
            done
            NOT_YET='no answer yet' ANSWER=answers
            if call ready "$broker"; then say "$broker $ANSWER after $SECONDS s"; else rest+=("$broker"); fi
        done
        pending=("${rest[@]}")
        [[ ${#pending[@]} -gt 0 ]] || return 0
        ((SECONDS < end)) || give_up "${pending[0]}" "after $WAIT s: $NOT_YET"
        sleep 0.3
    done
}
give_up() { # BROKER WHY
    local node file
    say "$1 failed: $2"
    for node in ${HELPERS[$1]:-} ${NODES[$1]}; do
        for file in "$BROKERS_DIR/$1/$node/out.log" $(call logs "$1" "$node"); do
            [[ ! -s $file ]] || { say "--- $file"; tail -n 15 "$file" >&2; }
        done
    done
    exit 3
}

# --- what is printed
prefix() { # BROKER NODE
    local name=${1^^}_${2^^}
    printf %s "${name%_SERVER}"
}
print_states() { # BROKER NODE…; not zero when one that was started does not run, or none was started
    local broker=$1 node bad=0 any=; shift
    for node; do
        node_state "$broker" "$node"
        printf '%s_STATE=%s\n' "$(prefix "$broker" "$node")" "$STATE"
        [[ $STATE == dead || $STATE == down ]] || printf '%s_PID=%s\n' "$(prefix "$broker" "$node")" "$PID"
        case $STATE in running) any=1 ;; down) ;; *) bad=1 ;; esac
    done
    [[ -n $any && $bad -eq 0 ]]
}

# shellcheck source=deps.sh
. "$HERE/deps.sh"
# shellcheck source=certs.sh
. "$HERE/certs.sh"
# shellcheck source=kafka.sh
. "$HERE/kafka.sh"
# shellcheck source=rocketmq.sh
. "$HERE/rocketmq.sh"
# shellcheck source=rocketmq_acl.sh
. "$HERE/rocketmq_acl.sh"
# shellcheck source=rabbitmq.sh
. "$HERE/rabbitmq.sh"
# shellcheck source=rabbitmq_cluster.sh
. "$HERE/rabbitmq_cluster.sh"
