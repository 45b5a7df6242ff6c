/* pe.h - inside an installation: what install.c and the families of profile elements share.
 *
 * A family's function interprets one element.  It returns 0, PE_REFUSED after pe_refuse() or
 * pe_abort() said why (install.c then takes back whatever the element did), or a fault. */
#ifndef APPLETS_ISDP_PE_H
#define APPLETS_ISDP_PE_H

#include <stdint.h> /* before asn1c's headers, which set feature macros */

#include <ProfileElement.h>

#include "applets/isdp/install.h"
#include "os/tlv.h"

enum { PE_REFUSED = 1 };

enum naa { NAA_USIM, NAA_ISIM, NAA_CSIM, N_NAAS };

enum {
    MAX_PUKS = 16,
    MAX_PINS = 512, /* of a profile */
    MAX_SHARES = 64,
    MAX_INSTANCES = 128, /* security domains, RFM applications */
    MAX_KEPT = 512,
    MAX_STEPS = 4,
    KEPT_KEY = 16,
};

/* An element that is stored as it came. */
struct kept {
    char key[KEPT_KEY]; /* behind "isdp/XXXX/" */
    uint8_t *p;
    size_t n;
};

struct installed_pin {
    struct pin pin;
    uint8_t left;
};

struct installed_puk {
    struct puk puk;
    uint8_t left;
};

/* A DF that has the PINs of another one (PE-PINCodes with filePath). */
struct pin_share {
    uint16_t context, of;
};

/* What got an AID from a profile element, ADFs apart. */
struct instance {
    uint8_t aid[FS_AID_MAX], aid_len;
    bool is_sd;
    uint8_t life_cycle;
};

/* Contents of an EF before the element that changes them. */
struct saved_body {
    uint16_t node;
    uint8_t *p;
};

/* What the header of an IoT minimal profile says of its files; it is no such profile without an
 * AID. */
struct iot {
    uint8_t aid[FS_AID_MAX], aid_len;
    uint8_t iccid[10]; /* as EF.ICCID has it */
};

/* How far it is.  An element that is refused is taken back to where it began. */
struct progress {
    size_t n_nodes; /* set at the beginning of an element */
    uint16_t adf[N_NAAS], last_adf;
    uint16_t pin_context; /* where the next PE-PINCodes belongs; FS_NONE: nowhere yet */
    size_t n_pins, n_puks, n_shares, n_kept, n_instances;
    unsigned n_sds, n_rfms, n_applications, n_others;
    uint64_t taken; /* octets of contents and kept elements */
};

/* The way to a part of an element: children of this tag (0: of any), the nth from 0. */
struct pe_step {
    uint32_t tag;
    size_t nth;
};

struct install {
    struct fs fs;
    const struct trace *trace;
    uint64_t max; /* of octets taken */
    struct progress now, before;
    struct iot iot;

    struct installed_pin *pins; /* MAX_PINS, when there are any */
    struct installed_puk puks[MAX_PUKS];
    struct pin_share shares[MAX_SHARES];
    struct kept *kept; /* MAX_KEPT, when there are any */
    struct instance instances[MAX_INSTANCES];

    /* The element at hand. */
    struct rd whole;
    struct pe_step steps[MAX_STEPS];
    unsigned n_steps;
    uint16_t first_df; /* that it created */
    struct saved_body *saved;
    size_t n_saved;
    struct install_outcome outcome;
};

static inline struct rd pe_octets(const OCTET_STRING_t *o)
{
    return o != NULL ? rd_of(o->buf, (size_t)o->size) : rd_of(NULL, 0);
}

/* The part of the element that is looked at, step by step from its contents; deeper steps that
 * were set before are forgotten. */
void pe_at(struct install *i, unsigned depth, uint32_t tag, size_t nth);

/* The element cannot be: it is passed over, or the installation ends if it is mandated. */
int pe_refuse(struct install *i, enum pe_status status, const char *why);
/* The installation ends in any case. */
int pe_abort(struct install *i, enum pe_status status, const char *why);
/* Something in it cannot be, the rest of it is done. */
void pe_warn(struct install *i, enum pe_status status, uint8_t additional, const char *why);

/* Room for n more octets of contents. */
int pe_take_room(struct install *i, uint64_t n);
/* Contents of an EF, to be changed. */
int pe_body(struct install *i, uint16_t node, uint8_t **ret);
/* Keeps the element at hand under a key. */
int pe_keep(struct install *i, const char *key);
/* A DF, ADF or MF was made by this element. */
void pe_made_df(struct install *i, uint16_t node);

/* How AIDs of this NAA begin. */
struct rd pe_naa_aid(enum naa naa);

/* pe_files.c: one file, whatever says how it is to be. */
struct template_file;
struct pe_file {
    struct fs_node node;
    struct rd link;       /* path of its target; n == 0: it is no link */
    const char *contents; /* of the template */
    struct fs_fill fill;  /* of the FCP; instead */
    bool has_pattern;
    bool by_template, has_size;
    uint8_t records; /* of the template */
};

/* Where contents go next. */
struct pe_fill {
    uint16_t node; /* FS_NONE: no EF yet */
    uint32_t at;
};

void pe_file_init(struct pe_file *f, const struct template_file *row, uint16_t parent);
int pe_file_fcp(struct install *i, struct pe_file *f, const Fcp_t *fcp);
int pe_file_create(struct install *i, struct pe_file *f, uint16_t *ret_node);
int pe_fill_skip(struct install *i, struct pe_fill *fill, long octets);
int pe_fill_put(struct install *i, struct pe_fill *fill, struct rd contents);

/* The families. */
int pe_header(struct install *i, const struct ProfileElement *value);
int pe_template(struct install *i, const struct ProfileElement *value);
int pe_gfm(struct install *i, const struct ProfileElement *value);
int pe_pins(struct install *i, const struct ProfileElement *value);
int pe_puks(struct install *i, const struct ProfileElement *value);
int pe_aka(struct install *i, const struct ProfileElement *value);
int pe_cdma(struct install *i, const struct ProfileElement *value);
int pe_security_domain(struct install *i, const struct ProfileElement *value);
int pe_rfm(struct install *i, const struct ProfileElement *value);
int pe_application(struct install *i, const struct ProfileElement *value);
int pe_non_standard(struct install *i, const struct ProfileElement *value);

/* At the end of the package. */
int pe_pins_finish(struct install *i);
int pe_services_finish(struct install *i);

int pe_pins_store(const struct install *i, struct nvm *nvm);
uint64_t pe_pins_size(const struct install *i);

#endif
