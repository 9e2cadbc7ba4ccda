# shellcheck shell=bash disable=SC2034
# Debian packages, Java and jars that the brokers are made from.

MISSING=()
want() { # PACKAGE TEST…
    "${@:2}" >/dev/null 2>&1 || MISSING+=("$1")
}
want_java() { want openjdk-17-jre-headless find_java; }

# RocketMQ 5.3.3 is not known to run on a Java newer than 21, Kafka 4.1 not on one older than 17.
find_java() {
    local java home version
    for java in "${JAVA_HOME:-/nowhere}/bin/java" "$(command -v java)" /usr/lib/jvm/*/bin/java; do
        [[ -x $java ]] || continue
        java=$(readlink -f "$java")
        home=${java%/bin/java}
        version=$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$home/release" 2>/dev/null)
        ((${version:-0} >= 17 && version <= 21)) || continue
        JAVA=$java
        return 0
    done
    return 1
}

need_java() { find_java || die 3 'no Java from 17 to 21 was found'; }

# Debian starts a server as it installs it: that one would hold the usual ports and look like ours.
POLICY=/usr/sbin/policy-rc.d
POLICY_MARK='# left by mqsafe tests/brokers: no server may start while its package is installed'
hold_services() {
    [[ ! -e $POLICY ]] || return 0
    printf '#!/bin/sh\n%s\nexit 101\n' "$POLICY_MARK" >"$POLICY" && chmod 755 "$POLICY"
}
release_services() { ! grep -qsF "$POLICY_MARK" "$POLICY" || rm -f "$POLICY"; }

install_missing() {
    [[ ${#MISSING[@]} -gt 0 ]] || return 0
    local log
    if [[ $UID -ne 0 ]] || ! command -v apt-get >/dev/null; then
        die 3 "missing packages: ${MISSING[*]} (Debian, as root: apt-get install --no-install-recommends ${MISSING[*]})"
    fi
    say "installing ${MISSING[*]}"
    hold "$CACHE/apt.lock" 900
    log=$(mktemp)
    trap release_services EXIT
    hold_services
    {
        apt-get -o DPkg::Lock::Timeout=300 update
        DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -y --no-install-recommends install "${MISSING[@]}"
    } >"$log" 2>&1 </dev/null || { tail -n 20 "$log" >&2; die 3 "apt-get could not install ${MISSING[*]}: see $log"; }
    release_services
    trap - EXIT
    rm -f "$log"
    release
    MISSING=()
}

# The name holds a sum of what the directory is made from, so a changed list is never served from an old directory.
jars_dir() { # NAME VERSION RECIPE
    local sum
    sum=$(cksum <<<"$3")
    printf '%s/jars/%s-%s-%s' "$CACHE" "$1" "$2" "${sum%% *}"
}
pom() { # GROUP:ARTIFACT:VERSION…
    local coordinate parts
    printf '<project><modelVersion>4.0.0</modelVersion><groupId>throw</groupId><artifactId>away</artifactId><version>1</version><dependencies>'
    for coordinate; do
        IFS=: read -ra parts <<<"$coordinate"
        printf '<dependency><groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version></dependency>' "${parts[@]}"
    done
    printf '</dependencies></project>\n'
}

# Built beside its place and renamed when complete: a directory with the final name is always whole.
fetch_jars() { # DIRECTORY FINISH GROUP:ARTIFACT:VERSION…
    local dir=$1 finish=$2 new; shift 2
    [[ ! -d $dir ]] || return 0
    hold "${dir%/*}/lock" 900
    if [[ ! -d $dir ]]; then
        say "downloading jars to $dir"
        # Under the lock, whatever is half done belongs to a script that was killed.
        rm -rf "${dir%/*}"/new.*
        new=$(mktemp -d "${dir%/*}/new.XXXXXX") || die 3 "cannot write to ${dir%/*}"
        pom "$@" >"$new/pom.xml"
        # Java takes the home from the user data base, where the user of a container may have none.
        # The lock stays with a Maven that outlives its script: two at once spoil the shared local repository.
        {
            (cd "$new" && MAVEN_OPTS="${MAVEN_OPTS:-} -Duser.home=${HOME:-$new}" mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
                -DoutputDirectory="$new/jars") && "$finish" "$new/jars"
        } >"$new/mvn.log" 2>&1 </dev/null || { tail -n 20 "$new/mvn.log" >&2; rm -rf "$new"; die 3 'the jars could not be fetched'; }
        mv "$new/jars" "$dir" && rm -rf "$new"
    fi
    release
}
