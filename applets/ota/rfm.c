/* rfm.c - remote file management (ETSI TS 102 226 6, TCA eUICC Profile Package 8.8).
 *
 * The commands are the UICC's own, through the dispatcher, in a session that no terminal sees.
 * What it may do is said by four access domains: files of the MF or of the ADF, and for each of
 * the two administrative commands or all others.  A domain that lists PINs is a set of PINs that
 * count as verified; it takes the place of the terminal's while a command runs, so that neither
 * party gains anything from what the other one verified. */
#include "applets/ota/rfm.h"

#include "applets/ota/script.h"
#include "os/dispatch.h"

enum { AREA_UICC, AREA_ADF, AREA_OTHER, N_AREAS = AREA_OTHER };

enum { INS_SELECT = 0xA4, INS_STATUS = 0xF2, P1_BY_AID = 0x04 };

struct rfm {
    struct session *session;
    uint16_t adf;
    const struct access_domain *domains[N_AREAS][2]; /* [1]: administrative commands */
    struct pin_status pins[N_AREAS][2];              /* what counts as verified in each */
};

/* TS 102 226 table 6.1. */
static const struct script_command commands[] = {
    { INS_SELECT, false, "SELECT" },  { INS_STATUS, true, "STATUS" },
    { 0xB0, true, "READ BINARY" },    { 0xD6, false, "UPDATE BINARY" },
    { 0xB2, true, "READ RECORD" },    { 0xDC, false, "UPDATE RECORD" },
    { 0xA2, false, "SEARCH RECORD" }, { 0x32, false, "INCREASE" },
    { 0x20, false, "VERIFY PIN" },    { 0x24, false, "CHANGE PIN" },
    { 0x26, false, "DISABLE PIN" },   { 0x28, false, "ENABLE PIN" },
    { 0x2C, false, "UNBLOCK PIN" },   { 0x04, false, "DEACTIVATE FILE" },
    { 0x44, false, "ACTIVATE FILE" }, { 0xCB, true, "RETRIEVE DATA" },
    { 0xDB, false, "SET DATA" },      { 0xE0, false, "CREATE FILE" },
    { 0xE4, false, "DELETE FILE" },   { 0xE6, false, "TERMINATE DF" },
    { 0xE8, false, "TERMINATE EF" },  { 0xD4, false, "RESIZE FILE" },
};

/* Those of TS 102 222. */
static bool is_administrative(uint8_t ins)
{
    return ins == 0xE0 || ins == 0xE4 || ins == 0xE6 || ins == 0xE8 || ins == 0xD4;
}

/* Key references of the bits of TS 102 226's "UICC access mechanism": application PINs 1 to 8, then
 * ADM1 to ADM10. */
static const uint8_t domain_pins[] = { 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x0A,
                                       0x0B, 0x0C, 0x0D, 0x0E, 0x8A, 0x8B, 0x8C, 0x8D, 0x8E };

static void grant(const struct access_domain *d, struct pin_status *ret)
{
    for (size_t i = 0; d->kind == DOMAIN_PINS && i < N_ELEMS(domain_pins); i++) {
        if (!(d->pins[i / 8] & 1 << i % 8))
            continue;
        ret->verified[ret->n].context = FS_MF;
        ret->verified[ret->n++].reference = domain_pins[i];
    }
}

static unsigned area(const struct rfm *r)
{
    const struct uicc *u = &r->session->euicc->uicc;
    uint16_t application = fs_application(&u->fs, r->session->files.df);

    if (application == FS_MF)
        return AREA_UICC;
    return application == r->adf ? AREA_ADF : AREA_OTHER;
}

static uint16_t refuse(const struct rfm *r, const struct apdu *a, uint16_t sw, const char *why)
{
    trace_check(&r->session->euicc->trace, "RFM, INS %02X: %s (TS 102 226 8.2.1.3.2.5)", a->ins,
                why);
    return sw;
}

static uint16_t run_command(void *ctx, const struct cla *cla, const struct apdu *a)
{
    struct rfm *r = ctx;
    struct euicc *e = r->session->euicc;
    unsigned where = area(r);
    bool admin = is_administrative(a->ins), moves = a->ins == INS_SELECT || a->ins == INS_STATUS;

    if (a->ins == INS_SELECT && a->p1 == P1_BY_AID)
        return refuse(r, a, SW_WRONG_P1P2, "other applications are not for it");
    if (!moves && (where == AREA_OTHER || r->domains[where][admin]->kind == DOMAIN_NONE))
        return refuse(r, a, SW_SECURITY_STATUS, "its access domain grants nothing here");
    if (where == AREA_OTHER)
        return dispatch(r->session, cla, a);
    struct pin_status terminals = e->uicc.pins;
    e->uicc.pins = r->pins[where][admin];
    r->session->remote = r->domains[where][admin]->kind == DOMAIN_FULL;
    uint16_t sw = dispatch(r->session, cla, a);
    r->pins[where][admin] = e->uicc.pins;
    e->uicc.pins = terminals;
    return sw;
}

/* The application's ADF, when it has one, is current from the beginning. */
static int begin(struct rfm *r, const struct rfm_instance *instance)
{
    const struct uicc *u = &r->session->euicc->uicc;

    r->adf = FS_NONE;
    uicc_go_home(r->session);
    if (instance->adf_aid_len == 0)
        return 0;
    r->adf = fs_adf(&u->fs, rd_of(instance->adf_aid, instance->adf_aid_len), FS_NONE);
    return r->adf == FS_NONE ? 0 : uicc_go(r->session, r->adf, true);
}

int rfm_run(struct euicc *e, const struct ota_target *target, struct rd in, size_t room,
            struct wr *ret)
{
    const struct rfm_instance *i = &target->rfm;
    struct rfm r = {
        .session = session_new(e, CHANNEL_BASIC),
        .domains = { { &i->uicc, &i->uicc_admin }, { &i->adf, &i->adf_admin } },
    };
    const struct script script = {
        .session = r.session,
        .commands = commands,
        .n_commands = N_ELEMS(commands),
        .run = run_command,
        .ctx = &r,
    };

    if (r.session == NULL)
        return ERR_NOMEM;
    for (size_t where = 0; where < N_AREAS; where++)
        for (size_t admin = 0; admin < 2; admin++)
            grant(r.domains[where][admin], &r.pins[where][admin]);
    int err = begin(&r, i);
    if (err == 0)
        err = script_run(&script, in, room, ret);
    session_free(&r.session);
    return err;
}
