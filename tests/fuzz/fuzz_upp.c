/* fuzz_upp.c - a profile package straight into applets/isdp/upp.h.
 *
 * Input: an octet of options, an octet that makes the sizes of the pieces, then the package.  The
 * package comes once as a whole and once in pieces; both must end alike. */
#include <stdlib.h>
#include <string.h>

#include "applets/isdp/install.h"
#include "asn1/der.h"
#include "os/err.h"
#include "os/tlv.h"
#include "tests/fuzz/fuzz.h"

enum {
    OTHER_ICCID = 1 << 0, /* options: the metadata's ICCID is not the header's */
    SMALL = 1 << 1,       /* fewer octets are allowed than come */
    ICCID_LEN = 10,
    MAX_MAJOR = 3,
    PROFILE = 0x0010,
    ROOM = 1 << 18,
};

/* The ICCID of the header as the metadata has it, so that packages get past the comparison. */
static void find_iccid(struct rd package, uint8_t ret[ICCID_LEN])
{
    struct tlv header, iccid;

    memset(ret, 0x11, ICCID_LEN);
    if (tlv_get(&package, &header) != 0 || !tlv_find(header.value, 0x83, &iccid) ||
        iccid.value.n != ICCID_LEN)
        return;
    for (size_t i = 0; i < ICCID_LEN; i++)
        ret[i] = (uint8_t)(iccid.value.p[i] << 4 | iccid.value.p[i] >> 4);
}

/* Pieces 0: as a whole.  Appends the EUICCResponse to ret. */
static int load(struct upp *u, struct rd package, uint32_t pieces, struct wr *ret)
{
    int result = UPP_OK;

    while (result == UPP_OK && package.n > 0) {
        size_t n = package.n, taken;
        if (pieces != 0) {
            pieces = pieces * 1103515245u + 12345u;
            n = 1 + (pieces >> 16) % (pieces & 1 ? 3 : 1020);
        }
        uint8_t *piece = fuzz_copy(&package, n, &taken);
        result = upp_take(u, rd_of(piece, taken));
        free(piece);
    }
    if (result == UPP_OK)
        result = upp_finish(u);
    upp_response(u, ret);
    return result;
}

static struct upp *new_upp(size_t max, const uint8_t iccid[ICCID_LEN], struct install *install,
                           const struct trace *trace)
{
    const struct upp_options options = {
        .max = max,
        .max_major = MAX_MAJOR,
        .iccid = rd_of(iccid, ICCID_LEN),
        .install = install,
    };
    struct upp *u = upp_new(&options, trace);

    oracle(u != NULL, "there is memory");
    return u;
}

/* What was installed can be stored and mounted, and takes what it said. */
static void check_installed(struct install *first, struct install *second)
{
    static const struct trace silent = { NULL, NULL };
    struct nvm *nvm = nvm_open_memory(&silent);
    struct fs fs;

    oracle(nvm != NULL, "there is memory");
    oracle(install_size(first) == install_size(second), "both take the same room");
    oracle(install_size(first) <= 2 * ROOM, "nothing is larger than what is free");
    oracle(install_store(first, nvm) == 0 && nvm_commit(nvm) == 0, "it can be stored");
    fs_init(&fs, PROFILE);
    oracle(fs_load(&fs, nvm) == 0, "its tree is sound");
    fs_done(&fs);
    nvm_close(&nvm);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct trace silent = { NULL, NULL };
    struct rd in = rd_of(data, size);
    uint8_t options = fuzz_u8(&in), iccid[ICCID_LEN];
    uint32_t pieces = fuzz_u8(&in) + 1u;
    struct wr whole_response, pieces_response;

    find_iccid(in, iccid);
    iccid[0] ^= options & OTHER_ICCID ? 0x10 : 0x00;
    size_t max = options & SMALL ? in.n / 2 : in.n + 8;
    wr_init_heap(&whole_response, 1024);
    wr_init_heap(&pieces_response, 1024);
    struct install *first = install_new(PROFILE, ROOM, &silent);
    struct install *second = install_new(PROFILE, ROOM, &silent);
    struct upp *whole = new_upp(max, iccid, first, &silent);
    struct upp *in_pieces = new_upp(max, iccid, second, &silent);

    int result = load(whole, in, 0, &whole_response);
    int again = load(in_pieces, in, pieces, &pieces_response);
    oracle(result >= UPP_OK && again >= UPP_OK, "no package is a fault");
    oracle(wr_failed(&whole_response) == 0, "an EUICCResponse fits into 1024 octets");
    oracle(der_is_canonical(whole_response.p, whole_response.n), "an EUICCResponse is DER");
    if (!(options & SMALL)) {
        oracle(result == again, "a package ends alike, whole or in pieces");
        oracle(rd_equal(wr_view(&whole_response), wr_view(&pieces_response)),
               "its EUICCResponse is the same");
    }
    if (result == UPP_OK && again == UPP_OK)
        check_installed(first, second);
    upp_free(&whole);
    upp_free(&in_pieces);
    install_free(&first);
    install_free(&second);
    wr_done(&whole_response);
    wr_done(&pieces_response);
    return 0;
}
