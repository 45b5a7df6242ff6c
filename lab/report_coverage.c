/* report_coverage.c - a page of what was covered: cases by section, result codes by the type that
 * the specifications give them. */
#include <string.h>

#include "lab/report.h"
#include "lib/softeuicc.h"
#include "os/err.h"

enum { SHOWN_CASES = 6, UNDEFINED_ERROR = 127 };

/* Those that a card answers over ES10. */
static const struct {
    enum code_list list;
    const char *name;
} lists[] = {
    { CODES_AUTHENTICATE_SERVER, "AuthenticateErrorCode, SGP.22 5.7.13" },
    { CODES_PREPARE_DOWNLOAD, "DownloadErrorCode, SGP.22 5.7.5" },
    { CODES_BPP_COMMAND, "BppCommandId, SGP.22 2.5.6" },
    { CODES_ERROR_REASON, "ErrorReason, SGP.22 2.5.6" },
    { CODES_CANCEL_SESSION, "cancelSessionResponseError, SGP.22 5.7.14" },
    { CODES_PROFILE_LIST, "ProfileInfoListError, SGP.22 5.7.15" },
    { CODES_ENABLE, "enableResult, SGP.22 5.7.16, SGP.32 2.11.2.1" },
    { CODES_DISABLE, "disableResult, SGP.22 5.7.17, SGP.32 2.11.2.1" },
    { CODES_DELETE, "deleteResult, SGP.22 5.7.18, SGP.32 2.11.2.1" },
    { CODES_RESET, "resetResult, SGP.22 5.7.19" },
    { CODES_NICKNAME, "setNicknameResult, SGP.22 5.7.21" },
    { CODES_NOTIFICATIONS, "notificationsListResultError, SGP.22 5.7.10" },
    { CODES_NOTIFICATION_SENT, "deleteNotificationStatus, SGP.22 5.7.11" },
    { CODES_DEFAULT_DP, "setDefaultDpAddressResult, SGP.22 5.7.4, SGP.32 2.11.2.1" },
    { CODES_EUICC_PACKAGE, "EuiccPackageErrorCode, SGP.32 2.11.2.1" },
    { CODES_TERMINATED, "processingTerminated, SGP.32 2.11.2.1" },
    { CODES_CONFIGURE_IMMEDIATE, "configureImmediateEnableResult, SGP.32 2.11.2.1" },
    { CODES_ROLLBACK_RESULT, "rollbackResult, SGP.32 2.11.2.1" },
    { CODES_SET_FALLBACK, "setFallbackAttributeResult, SGP.32 2.11.2.1" },
    { CODES_UNSET_FALLBACK, "unsetFallbackAttributeResult, SGP.32 2.11.2.1" },
    { CODES_ADD_EIM, "addEimResultCode, addInitialEimError, SGP.32 2.11.2.1, 5.9.4" },
    { CODES_DELETE_EIM, "deleteEimResult, SGP.32 2.11.2.1" },
    { CODES_UPDATE_EIM, "updateEimResult, SGP.32 2.11.2.1" },
    { CODES_LIST_EIM, "listEimError, SGP.32 2.11.2.1" },
    { CODES_IOT_RESET, "resetResult, SGP.32 5.9.5" },
    { CODES_IOT_RESET_EIM, "resetEimResult, SGP.32 5.9.5" },
    { CODES_IOT_RESET_IMMEDIATE, "resetImmediateEnableConfigResult, SGP.32 5.9.5" },
    { CODES_GET_CERTS, "getCertsError, SGP.32 5.9.10" },
    { CODES_IMMEDIATE_ENABLE, "immediateEnableResult, SGP.32 5.9.15" },
    { CODES_PROFILE_ROLLBACK, "profileRollbackResult, SGP.32 5.9.16" },
    { CODES_CONFIGURE_IMMEDIATE_ES10B, "configImmediateEnableResult, SGP.32 5.9.17" },
    { CODES_EXECUTE_FALLBACK, "executeFallbackMechanismResult, SGP.32 5.9.20" },
    { CODES_RETURN_FROM_FALLBACK, "returnFromFallbackResult, SGP.32 5.9.21" },
    { CODES_ENABLE_EMERGENCY, "enableEmergencyProfileResult, SGP.32 5.9.22" },
    { CODES_DISABLE_EMERGENCY, "disableEmergencyProfileResult, SGP.32 5.9.23" },
    { CODES_CONNECTIVITY, "getConnectivityParametersError, SGP.32 5.9.24" },
    { CODES_IPAE_ACTIVATION, "ipaeActivationResult, SGP.32 3.8.4" },
};

/* --- sections ----------------------------------------------------------------------------------
 */

static bool is_new_section(const struct report *report, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (strcmp(report_section_of(&report->cases[j]), report_section_of(&report->cases[i])) == 0)
            return false;
    return true;
}

static void put_section(FILE *to, const struct report *report, const char *name)
{
    size_t counts[REPORT_TODO + 1] = { 0 }, n = 0;

    for (size_t i = 0; i < report->n; i++) {
        if (strcmp(report_section_of(&report->cases[i]), name) != 0)
            continue;
        counts[report->cases[i].status]++;
        n++;
    }
    fprintf(to, "<tr><td>");
    report_put_html(to, name);
    fprintf(to, "</td><td>%zu</td>", n);
    for (enum report_status s = REPORT_PASSED; s <= REPORT_TODO; s++)
        fprintf(to, "<td>%s%zu%s</td>", counts[s] > 0 ? "<b>" : "", counts[s],
                counts[s] > 0 ? "</b>" : "");
    fprintf(to, "</tr>\n");
}

static void put_sections(FILE *to, const struct report *report)
{
    fprintf(to, "<h2>Sections</h2><table><tr><th>section</th><th>cases</th>");
    for (enum report_status s = REPORT_PASSED; s <= REPORT_TODO; s++)
        fprintf(to, "<th>%s</th>", report_status_name(s));
    fprintf(to, "</tr>\n");
    for (size_t i = 0; i < report->n; i++)
        if (is_new_section(report, i))
            put_section(to, report, report_section_of(&report->cases[i]));
    fprintf(to, "</table>\n");
}

/* --- result codes ------------------------------------------------------------------------------
 */

static bool has_code(const struct report_case *c, enum code_list list, long code)
{
    for (size_t i = 0; i < c->n_codes; i++)
        if (c->codes[i].list == list && c->codes[i].code == code)
            return true;
    return false;
}

static size_t count_cases(const struct report *report, enum code_list list, long code)
{
    size_t n = 0;

    for (size_t i = 0; i < report->n; i++)
        n += has_code(&report->cases[i], list, code);
    return n;
}

static void put_cases(FILE *to, const struct report *report, enum code_list list, long code)
{
    size_t n = 0;

    for (size_t i = 0; i < report->n; i++) {
        if (!has_code(&report->cases[i], list, code))
            continue;
        if (n++ == SHOWN_CASES)
            break;
        fprintf(to, "%s", n > 1 ? ", " : "");
        report_put_html(to, report->cases[i].id);
    }
    if (n > SHOWN_CASES)
        fprintf(to, ", ... (%zu)", count_cases(report, list, code));
}

/* What a type has been seen with. */
struct seen {
    size_t n, of;
};

static void put_code(FILE *to, const struct report *report, enum code_list list, long code,
                     struct seen *seen)
{
    bool observed = count_cases(report, list, code) > 0;

    seen->n += observed;
    seen->of++;
    fprintf(to, "<tr%s><td>%ld</td><td>%s</td><td>", observed ? "" : " class=m", code,
            code_name(list, code));
    if (observed)
        put_cases(to, report, list, code);
    else
        fprintf(to, "not observed");
    fprintf(to, "</td></tr>\n");
}

static bool is_named(enum code_list list, long code)
{
    long named;

    for (size_t n = 0; code_at(list, n, &named); n++)
        if (named == code)
            return true;
    return false;
}

/* ok and undefinedError, which most types have, are told where they were observed. */
static void put_list(FILE *to, const struct report *report, size_t i, struct seen *seen)
{
    static const long common[] = { 0, UNDEFINED_ERROR };
    enum code_list list = lists[i].list;
    long code;

    fprintf(to, "<tr><th colspan=3>%s</th></tr>\n", lists[i].name);
    for (size_t n = 0; code_at(list, n, &code); n++)
        put_code(to, report, list, code, seen);
    for (size_t n = 0; n < N_ELEMS(common); n++) {
        struct seen aside = { 0, 0 };
        if (!is_named(list, common[n]) && count_cases(report, list, common[n]) > 0)
            put_code(to, report, list, common[n], &aside);
    }
}

int report_coverage(const struct report *report, FILE *to)
{
    struct seen seen = { 0, 0 };

    report_begin_page(to, "softeuicc: coverage");
    fprintf(to, "<h1>Coverage</h1>\n<p class=m>%zu cases, %.2f s; softeuicc %s; on ", report->n,
            report->seconds, SOFTEUICC_VERSION);
    report_put_html(to, report->card != NULL ? report->card : "");
    fprintf(to, "</p>\n");
    put_sections(to, report);
    fprintf(to, "<h2>Result codes</h2><table><tr><th>code</th><th>name</th>"
                "<th>observed in</th></tr>\n");
    for (size_t i = 0; i < N_ELEMS(lists); i++)
        put_list(to, report, i, &seen);
    fprintf(to,
            "</table><p>%zu of %zu codes that have a name of their own were observed.</p>"
            "</html>\n",
            seen.n, seen.of);
    return ferror(to) ? -1 : 0;
}
