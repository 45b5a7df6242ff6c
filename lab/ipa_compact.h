/* ipa_compact.h - what an IPA leaves of the eUICC's answers to keep messages short
 * (minimizeEsipaBytes, SGP.32 5.14): the eIM puts the rest back before it hands them on.
 *
 * Each takes the whole answer and appends the compact one.  ERR_INPUT: it is not what is made
 * shorter, such as an error; it then goes to the eIM as it is. */
#ifndef LAB_IPA_COMPACT_H
#define LAB_IPA_COMPACT_H

#include "os/buf.h"

/* What the eIM knows of this eUICC already. */
struct compact_known {
    bool info1, info2, certificates, ctx_params;
};

/* AuthenticateServerResponse, BF38. */
int compact_authenticate(struct rd response, const struct compact_known *known, struct wr *ret);

/* PrepareDownloadResponse, BF21. */
int compact_prepare(struct rd response, struct wr *ret);

/* CancelSessionResponse, BF41; the octets are its arm only, as it stands in the request (A2). */
int compact_cancel(struct rd response, struct wr *ret);

/* PendingNotification: ProfileInstallationResult BF37, or OtherSignedNotification, 30. */
int compact_notification(struct rd whole, struct wr *ret);

#endif
