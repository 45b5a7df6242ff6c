/* es9p.h - what both ends of ES9+ and ES11 agree on (SGP.22 6.3, 6.5). */
#ifndef LAB_ES9P_H
#define LAB_ES9P_H

#define ES9P_PROTOCOL_PREFIX "gsma/rsp/v"
#define ES9P_PROTOCOL        ES9P_PROTOCOL_PREFIX "2.5.0"
#define ES9P_PATH            "/gsma/rsp2/es9plus/"
#define ES11_PATH            "/gsma/rsp2/es11/"
#define ES12_PATH            "/gsma/rsp2/es12/"

/* functionExecutionStatus (SGP.22 5.2.6): subject NULL means Executed-Success. */
struct es9p_status {
    const char *subject, *reason, *message;
};

#endif
