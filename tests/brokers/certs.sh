# shellcheck shell=bash disable=SC2034
# Certificates, keys, stores and passwords for the secured listeners; made here, valid for nothing else.

CERTS=$BROKERS_DIR/certs

certs_need() {
    want openssl command -v openssl
    want python3 command -v python3
}
# Debian's own first: a wrapper that picks a version starts slowly, and what it picks may change.
PYTHON=/usr/bin/python3
[[ -x $PYTHON ]] || PYTHON=python3

# A password of its own for each, in a file that only its owner reads, without a line break; letters and digits, so
# that no tool takes it for an option.
secret() { # FILE
    [[ ! -s $1 ]] || return 0
    local word
    word=$(head -c 18 /dev/urandom | base64 | tr '+/' 'xy')
    (umask 077 && mkdir -p "${1%/*}" && replace "$1" "$word") || die 3 "cannot write $1"
}

# Elliptic curves, because a key is made in milliseconds.
certs_key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }
# A configuration of its own each time: the system's says what it likes.
certs_ca() { # NAME COMMON-NAME
    cat >"$1.cnf" <<END
[req]
distinguished_name=name
x509_extensions=root
[name]
[root]
basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
END
    certs_key "$1.key" && : >"$1.txt" && openssl req -config "$1.cnf" -new -x509 -key "$1.key" -subj "/CN=$2" -days 3650 -out "$1.pem"
}
# `openssl ca`, because of the commands that sign only this one lets a certificate end in the past.
certs_sign() { # CA NAME COMMON-NAME server|client SAN [END]
    local ca=$1 name=$2
    cat >"$name.cnf" <<END
[ca]
default_ca=own
[own]
database=$ca.txt
new_certs_dir=.
rand_serial=yes
default_md=sha256
policy=any
unique_subject=no
x509_extensions=leaf
[any]
commonName=supplied
[leaf]
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=${4}Auth
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
${5:+subjectAltName=$5}
END
    certs_key "$name.key" && openssl req -config "$ca.cnf" -new -key "$name.key" -subj "/CN=$3" -out "$name.csr" &&
        openssl ca -batch -notext -config "$name.cnf" -cert "$ca.pem" -keyfile "$ca.key" -in "$name.csr" -out "$name.pem" \
            -startdate 20200101000000Z -enddate "${6:-20491231235959Z}" &&
        cat "$name.key" "$name.pem" >"$name-bundle.pem"
}

certs_make() ( # DIRECTORY
    here='IP:127.0.0.1,DNS:localhost' ended=20210101000000Z
    umask 077
    secret "$1/password"
    cd "$1" && exec </dev/null || exit 1
    certs_ca ca 'mqsafe test CA' &&
        certs_ca foreign-ca 'foreign test CA' &&
        certs_sign ca server localhost server "$here" &&
        certs_sign ca server-expired localhost server "$here" "$ended" &&
        certs_sign foreign-ca server-foreign localhost server "$here" &&
        certs_sign ca server-wrong-host elsewhere.invalid server DNS:elsewhere.invalid &&
        certs_sign ca client mqsafe-client client '' &&
        certs_sign ca client-nobody nobody client '' &&
        certs_sign ca client-expired mqsafe-client client '' "$ended" &&
        certs_sign foreign-ca client-foreign mqsafe-client client '' &&
        openssl pkcs8 -topk8 -v2 aes-256-cbc -in client.key -passout file:password -out client-encrypted.key &&
        cat client-encrypted.key client.pem >client-encrypted-bundle.pem &&
        openssl pkcs8 -topk8 -v1 PBE-SHA1-3DES -in client.key -passout file:password -out client-encrypted-legacy.key &&
        cat client-encrypted-legacy.key client.pem >client-encrypted-legacy-bundle.pem &&
        openssl pkcs12 -export -name client -in client.pem -inkey client.key -certfile ca.pem -passout file:password -out client.p12 || exit 1
    # Where OpenSSL was built without its old algorithms there is no legacy file.
    openssl pkcs12 -export -legacy -name client -in client.pem -inkey client.key -certfile ca.pem -passout file:password -out client-legacy.p12 ||
        rm -f client-legacy.p12
    rm -f ./*.cnf ./*.csr ./*.txt* ./[0-9A-F]*.pem
)
certs_prepare() {
    [[ ! -e $CERTS/ca.pem ]] || return 0
    local log
    rm -rf "$CERTS" "$CERTS.new"
    mkdir -p "$CERTS.new"
    log=$(certs_make "$CERTS.new" 2>&1) || { printf '%s\n' "$log" >&2; die 3 'the certificates could not be made'; }
    mv "$CERTS.new" "$CERTS" || die 3 "cannot write to $CERTS"
}

# Java's own stores need its own tool: a PKCS#12 trust store of openssl's lacks the mark by which Java knows a trusted
# certificate. Only Kafka asks for them, because each costs the start of a JVM.
certs_stores() {
    local tool=("${JAVA%/java}/keytool" -J-XX:TieredStopAtLevel=1 -noprompt -storepass:file "$CERTS/password") jobs=() job type
    [[ ! -e $CERTS/truststore.jks ]] || return 0
    for type in pkcs12/p12 jks/jks; do
        ("${tool[@]}" -importcert -alias ca -file "$CERTS/ca.pem" -storetype "${type%/*}" -keystore "$CERTS/truststore.${type#*/}.new") &
        jobs+=($!)
    done
    ("${tool[@]}" -importkeystore -srckeystore "$CERTS/client.p12" -srcstoretype pkcs12 -srcstorepass:file "$CERTS/password" \
        -destkeystore "$CERTS/client.jks.new" -deststoretype jks) &
    jobs+=($!)
    for job in "${jobs[@]}"; do wait "$job" || return 1; done
    for type in client.jks truststore.p12 truststore.jks; do chmod 600 "$CERTS/$type.new" && mv "$CERTS/$type.new" "$CERTS/$type" || return 1; done
}

certs_print() { printf 'CERTS_DIR=%s\nCERTS_PASSWORD_FILE=%s\n' "$CERTS" "$CERTS/password"; }

# The ports of the proxy, one for each certificate that a client must refuse.
WRONG=(expired foreign wrong_host)
proxy_launch() { # BROKER NAME-OF-THE-PORT-BEHIND
    local name words=()
    for name in "${WRONG[@]}"; do
        words+=("$(port "$1" "$name"):$(port "$1" "$2"):$CERTS/server-${name/_/-}-bundle.pem")
    done
    mkdir -p "$BROKERS_DIR/$1/proxy"
    launch "$1" proxy "$PYTHON" "$HERE/tls-proxy" "${words[@]}"
}
proxy_ready() { # BROKER
    local name
    for name in "${WRONG[@]}"; do
        listens "$(port "$1" "$name")" || { NOT_YET="the proxy does not listen for $name"; return 1; }
    done
}
proxy_print() { # BROKER PREFIX
    local name
    for name in "${WRONG[@]}"; do printf '%s_%s=127.0.0.1:%s\n' "$2" "${name^^}" "$(port "$1" "$name")"; done
}
