/* es9p.h - what both ends of ES9+ agree on (SGP.22 6.3, 6.5). */
#ifndef LAB_ES9P_H
#define LAB_ES9P_H

#define ES9P_PROTOCOL_PREFIX "gsma/rsp/v"
#define ES9P_PROTOCOL        ES9P_PROTOCOL_PREFIX "2.5.0"
#define ES9P_PATH            "/gsma/rsp2/es9plus/"

#endif
