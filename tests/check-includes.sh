#!/bin/sh
# Is the order of knowledge kept?  Each folder may include from those in its row only.
# usage: check-includes.sh SOURCE-ROOT
set -eu
cd "$1"

bad=0
complain() {
    echo "$1: may not include $2" >&2
    bad=1
}

check() {
    folder=$1 allowed=$2
    for file in $(find "$folder" -name '*.[ch]'); do
        for header in $(sed -n 's/^#include "\(.*\)".*/\1/p' "$file"); do
            case " $allowed " in
            *" ${header%%/*} "* | *" $header "*) ;;
            *) complain "$file" "$header" ;;
            esac
        done
    done
}

check card "card"
check os "card os"
check asn1 "asn1 os/err.h os/tlv.h os/x509.h"
check certs "certs os"
check applets "card/apdu.h card/sw.h os asn1 applets"
check lib "card lib applets os certs asn1"
check vpcd "vpcd lib/softeuicc.h"
check cli "cli vpcd lib/softeuicc.h card/sw.h os/hex.h"
check profiles "asn1 os/err.h"
check lab "lab cli/standard.h vpcd/vpcd.h lib/softeuicc.h os/buf.h os/err.h os/hex.h os/tlv.h os/crypto.h os/x509.h os/crypto_openssl.h certs/pki.h asn1"

# One applet does not reach into another's .c files, and OpenSSL has few doors.
for file in $(grep -lE '#include <openssl/' -r card os asn1 certs applets lib vpcd cli lab profiles || true); do
    case $file in
    os/crypto.c | os/x509*.c | os/tls*.c | lab/https.c | lab/tls_sessions.c) ;;
    *) complain "$file" "<openssl/...>" ;;
    esac
done
for file in $(grep -lE '#include <sqlite3.h>' -r card os asn1 certs applets lib vpcd cli lab profiles || true); do
    case $file in
    os/nvm_sqlite.c | lab/eim_db.c) ;;
    *) complain "$file" "<sqlite3.h>" ;;
    esac
done
exit $bad
