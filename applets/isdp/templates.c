/* templates.c - the file systems that profile elements name by template (TCA 9; sizes and default
 * contents are those of TS 31.102, TS 31.103, TS 102 221 and C.S0065).
 *
 * Rows stand in the order of the components of the ASN.1 types, so that a template and a profile
 * element can be walked together. */
#include "applets/isdp/templates.h"

#include <string.h>

#include "os/err.h"
#include "os/hex.h"

/* Columns: level, name, FID; size or records and record length; ARR, SFI, flags, contents. */
#define DF_ROW(level_, name_, fid_)                                                                \
    {                                                                                              \
        .level = (level_), .name = (name_), .fid = (fid_), .kind = FS_KIND_DF, .arr = 14           \
    }
#define ADF_ROW(level_, name_)                                                                     \
    {                                                                                              \
        .level = (level_), .name = (name_), .kind = FS_KIND_ADF, .arr = 14                         \
    }
#define TR(level_, name_, fid_, size_, arr_, sfi_, flags_, contents_)                              \
    {                                                                                              \
        .level = (level_), .name = (name_), .fid = (fid_), .kind = FS_KIND_TRANSPARENT,            \
        .size = (size_), .arr = (arr_), .sfi = (sfi_), .flags = (flags_), .contents = (contents_)  \
    }
#define BT(level_, name_, fid_, arr_, sfi_, flags_)                                                \
    {                                                                                              \
        .level = (level_), .name = (name_), .fid = (fid_), .kind = FS_KIND_BER_TLV, .arr = (arr_), \
        .sfi = (sfi_), .flags = (flags_)                                                           \
    }
#define RECORDS(kind_, level_, name_, fid_, records_, len_, arr_, sfi_, flags_, contents_)         \
    {                                                                                              \
        .level = (level_), .name = (name_), .fid = (fid_), .kind = (kind_), .records = (records_), \
        .record_len = (len_), .arr = (arr_), .sfi = (sfi_), .flags = (flags_),                     \
        .contents = (contents_)                                                                    \
    }
#define LF(...) RECORDS(FS_KIND_LINEAR, __VA_ARGS__)
#define CY(...) RECORDS(FS_KIND_CYCLIC, __VA_ARGS__)

#define REQ  FILE_REQUIRED
#define HIGH FILE_HIGH_UPDATE

/* clang-format off */

static const struct template_file mf_files[] = { /* 9.2 */
    { .name = "mf", .fid = FID_MF, .kind = FS_KIND_MF, .arr = 14 },
    TR(1, "ef-pl",    0x2F05,  2,    1, 0x05, 0,   NULL),
    TR(1, "ef-iccid", 0x2FE2, 10,   11, 0x00, REQ, NULL),
    LF(1, "ef-dir",   0x2F00, 0, 0, 10, 0x1E, REQ, NULL),
    LF(1, "ef-arr",   0x2F06, 0, 0, 10, 0x00, REQ, NULL),
    TR(1, "ef-umpc",  0x2F08,  5,   10, 0x08, 0,   NULL),
};

static const struct template_file cd_files[] = { /* 9.3 */
    DF_ROW(0, "df-cd", 0x7F11),
    TR(1, "ef-launchpad", 0x6F01, 0, 2, 0, REQ, NULL),
    TR(1, "ef-icon",      0x6F40, 0, 2, 0, REQ, NULL),
};

/* DF.PHONEBOOK and what is in it, below DF.TELECOM and below ADF.USIM. */
#define PHONEBOOK_ROWS(level)                                                                      \
    DF_ROW(level, "df-phonebook", 0x5F3A),                                                         \
    LF(level + 1, "ef-pbr",   0x4F30, 0, 0,  2, 0, REQ,  NULL),                                    \
    LF(level + 1, "ef-ext1",  0x4F38, 0, 13, 5, 0, 0,    "00FF.."),                                \
    LF(level + 1, "ef-aas",   0x4F40, 0, 0,  5, 0, 0,    NULL),                                    \
    LF(level + 1, "ef-gas",   0x4F48, 0, 0,  5, 0, 0,    NULL),                                    \
    TR(level + 1, "ef-psc",   0x4F22, 4,     5, 0, 0,    "00000000"),                              \
    TR(level + 1, "ef-cc",    0x4F23, 2,     5, 0, HIGH, "0000"),                                  \
    TR(level + 1, "ef-puid",  0x4F24, 2,     5, 0, HIGH, "0000"),                                  \
    LF(level + 1, "ef-iap",   0x4F50, 0, 0,  5, 0, 0,    NULL),                                    \
    LF(level + 1, "ef-adn",   0x4F58, 0, 0,  5, 0, 0,    NULL),                                    \
    LF(level + 1, "ef-pbc",   0x4F60, 0, 2,  5, 0, 0,    "00.."),                                  \
    LF(level + 1, "ef-anr",   0x4F68, 0, 0,  5, 0, 0,    NULL),                                    \
    LF(level + 1, "ef-puri",  0x4F70, 0, 0,  5, 0, REQ,  NULL),                                    \
    LF(level + 1, "ef-email", 0x4F78, 0, 0,  5, 0, 0,    NULL),                                    \
    LF(level + 1, "ef-sne",   0x4F80, 0, 0,  5, 0, 0,    NULL),                                    \
    LF(level + 1, "ef-uid",   0x4F88, 0, 2,  5, 0, 0,    "0000"),                                  \
    LF(level + 1, "ef-grp",   0x4F90, 0, 0,  5, 0, 0,    "00.."),                                  \
    LF(level + 1, "ef-ccp1",  0x4F98, 0, 0,  5, 0, 0,    NULL)

static const struct template_file telecom_files[] = { /* 9.4 */
    DF_ROW(0, "df-telecom", 0x7F10),
    LF(1, "ef-arr",     0x6F06, 0, 0,   10, 0, REQ, NULL),
    LF(1, "ef-rma",     0x6F53, 0, 0,   3,  0, REQ, NULL),
    TR(1, "ef-sume",    0x6F54, 22,     3,  0, REQ, NULL),
    LF(1, "ef-ice-dn",  0x6FE0, 50, 24, 9,  0, 0,   NULL),
    LF(1, "ef-ice-ff",  0x6FE1, 0, 0,   9,  0, 0,   NULL),
    LF(1, "ef-psismsc", 0x6FE5, 0, 0,   5,  0, REQ, NULL),
    DF_ROW(1, "df-graphics", 0x5F50),
    LF(2, "ef-img",          0x4F20, 0, 0, 2,  0, 0, "00FF.."),
    TR(2, "ef-iidf",         0x4F40, 0,    2,  0, 0, NULL),
    BT(2, "ef-ice-graphics", 0x4F21,       9,  0, 0),
    TR(2, "ef-launch-scws",  0x4F01, 0,    10, 0, REQ, NULL),
    TR(2, "ef-icon",         0x4F80, 0,    10, 0, REQ, NULL),
    PHONEBOOK_ROWS(1),
    DF_ROW(1, "df-multimedia", 0x5F3B),
    BT(2, "ef-mml",  0x4F47, 5, 0, 0),
    BT(2, "ef-mmdf", 0x4F48, 5, 0, 0),
    DF_ROW(1, "df-mmss", 0x5F3C),
    TR(2, "ef-mlpl",     0x4F20, 0, 2, 0x01, REQ, NULL),
    TR(2, "ef-mspl",     0x4F21, 0, 2, 0x02, REQ, NULL),
    TR(2, "ef-mmssmode", 0x4F22, 1, 2, 0x03, REQ, NULL),
    DF_ROW(1, "df-mcs", 0x5F3D),
    TR(2, "ef-mst",        0x4F01, 0, 2, 0x01, REQ, NULL),
    BT(2, "ef-mcs-config", 0x4F02,    2, 0x02, REQ),
    DF_ROW(1, "df-v2x", 0x5F3E),
    TR(2, "ef-vst",        0x4F01, 0, 2, 0x01, REQ, NULL),
    BT(2, "ef-v2x-config", 0x4F02,    2, 0x02, REQ),
    TR(2, "ef-v2xp-pc5",   0x4F03, 0, 2, 0,    REQ, NULL),
    TR(2, "ef-v2xp-Uu",    0x4F04, 0, 2, 0,    REQ, NULL),
};

/* Contents that stand in several templates. */
#define PSLOCI  "FFFFFFFFFFFFFFFFFFFF0000FF01"
#define EPSLOCI "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFF000001"
#define LOCI_5G "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000001"

static const struct template_file usim_files[] = { /* 9.5.1 */
    ADF_ROW(0, "adf-usim"),
    TR(1, "ef-imsi",      0x6F07, 9,       2,  0x07, REQ,  NULL),
    LF(1, "ef-arr",       0x6F06, 0, 0,    10, 0x17, REQ,  NULL),
    TR(1, "ef-keys",      0x6F08, 33,      5,  0x08, HIGH, "07FF.."),
    TR(1, "ef-keysPS",    0x6F09, 33,      5,  0x09, HIGH, "07FF.."),
    TR(1, "ef-hpplmn",    0x6F31, 1,       2,  0x12, 0,    "0A"),
    TR(1, "ef-ust",       0x6F38, 14,      2,  0x04, REQ,  NULL),
    TR(1, "ef-ust",       0x6F38, 17,      2,  0x04, REQ | FILE_SINCE(2), NULL),
    LF(1, "ef-fdn",       0x6F3B, 20, 26,  8,  0,    0,    NULL),
    LF(1, "ef-sms",       0x6F3C, 10, 176, 5,  0,    0,    "00FF.."),
    LF(1, "ef-smsp",      0x6F42, 1, 38,   5,  0,    0,    NULL),
    TR(1, "ef-smss",      0x6F43, 2,       5,  0,    0,    NULL),
    TR(1, "ef-spn",       0x6F46, 17,      10, 0,    REQ,  NULL),
    TR(1, "ef-est",       0x6F56, 1,       8,  0x05, REQ,  NULL),
    TR(1, "ef-start-hfn", 0x6F5B, 6,       5,  0x0F, HIGH, "F00000F00000"),
    TR(1, "ef-threshold", 0x6F5C, 3,       2,  0x10, 0,    NULL),
    TR(1, "ef-psloci",    0x6F73, 14,      5,  0x0C, HIGH, PSLOCI),
    TR(1, "ef-acc",       0x6F78, 2,       2,  0x06, REQ,  NULL),
    TR(1, "ef-fplmn",     0x6F7B, 12,      5,  0x0D, 0,    NULL),
    TR(1, "ef-loci",      0x6F7E, 11,      5,  0x0B, HIGH, "FFFFFFFFFFFFFF0000FF01"),
    TR(1, "ef-ad",        0x6FAD, 4,       10, 0x03, 0,    "00000002"),
    LF(1, "ef-ecc",       0x6FB7, 1, 4,    10, 0x01, REQ,  NULL),
    TR(1, "ef-netpar",    0x6FC4, 128,     5,  0,    HIGH, NULL),
    TR(1, "ef-epsloci",   0x6FE3, 18,      5,  0x1E, HIGH, EPSLOCI),
    LF(1, "ef-epsnsc",    0x6FE4, 1, 80,   5,  0x18, HIGH, NULL),
};

static const struct template_file opt_usim_files[] = { /* 9.5.2 */
    TR(1, "ef-li",         0x6F05, 6,      1,  0x02, 0,    NULL),
    TR(1, "ef-acmax",      0x6F37, 3,      5,  0,    0,    "000000"),
    CY(1, "ef-acm",        0x6F39, 1, 3,   7,  0,    HIGH, "000000"),
    TR(1, "ef-gid1",       0x6F3E, 8,      2,  0,    REQ,  NULL),
    TR(1, "ef-gid2",       0x6F3F, 8,      2,  0,    REQ,  NULL),
    LF(1, "ef-msisdn",     0x6F40, 1, 24,  2,  0,    0,    NULL),
    TR(1, "ef-puct",       0x6F41, 5,      5,  0,    0,    "FFFFFF0000"),
    TR(1, "ef-cbmi",       0x6F45, 10,     5,  0,    0,    NULL),
    TR(1, "ef-cbmid",      0x6F48, 10,     2,  0x0E, 0,    NULL),
    LF(1, "ef-sdn",        0x6F49, 10, 24, 2,  0,    0,    NULL),
    LF(1, "ef-ext2",       0x6F4B, 10, 13, 8,  0,    0,    "00FF.."),
    LF(1, "ef-ext3",       0x6F4C, 10, 13, 2,  0,    0,    "00FF.."),
    TR(1, "ef-cbmir",      0x6F50, 20,     5,  0,    0,    NULL),
    TR(1, "ef-plmnwact",   0x6F60, 40,     5,  0x0A, 0,    "FFFFFF0000*"),
    TR(1, "ef-oplmnwact",  0x6F61, 40,     2,  0x11, 0,    "FFFFFF0000*"),
    TR(1, "ef-hplmnwact",  0x6F62, 5,      2,  0x13, 0,    "FFFFFF0000*"),
    TR(1, "ef-dck",        0x6F2C, 16,     5,  0,    0,    NULL),
    TR(1, "ef-cnl",        0x6F32, 30,     2,  0,    0,    NULL),
    LF(1, "ef-smsr",       0x6F47, 10, 30, 5,  0,    0,    "00FF.."),
    LF(1, "ef-bdn",        0x6F4D, 10, 25, 8,  0,    0,    NULL),
    LF(1, "ef-ext5",       0x6F4E, 10, 13, 5,  0,    0,    "00FF.."),
    LF(1, "ef-ccp2",       0x6F4F, 5, 15,  5,  0x16, 0,    NULL),
    LF(1, "ef-ext4",       0x6F55, 10, 13, 8,  0,    0,    "00FF.."),
    TR(1, "ef-acl",        0x6F57, 101,    8,  0,    0,    "00FF.."),
    LF(1, "ef-cmi",        0x6F58, 10, 11, 2,  0,    0,    NULL),
    CY(1, "ef-ici",        0x6F80, 20, 38, 5,  0x14, HIGH, "FF..0000000001FFFF"),
    CY(1, "ef-oci",        0x6F81, 20, 37, 5,  0x15, HIGH, "FF..00000001FFFF"),
    CY(1, "ef-ict",        0x6F82, 1, 3,   7,  0,    HIGH, "000000"),
    CY(1, "ef-oct",        0x6F83, 1, 3,   7,  0,    HIGH, "000000"),
    TR(1, "ef-vgcs",       0x6FB1, 20,     2,  0,    REQ,  NULL),
    TR(1, "ef-vgcss",      0x6FB2, 7,      5,  0,    REQ,  NULL),
    TR(1, "ef-vbs",        0x6FB3, 20,     2,  0,    REQ,  NULL),
    TR(1, "ef-vbss",       0x6FB4, 7,      5,  0,    REQ,  NULL),
    TR(1, "ef-emlpp",      0x6FB5, 2,      2,  0,    REQ,  NULL),
    TR(1, "ef-aaem",       0x6FB6, 1,      5,  0,    0,    "00"),
    TR(1, "ef-hiddenkey",  0x6FC3, 4,      5,  0,    0,    NULL),
    LF(1, "ef-pnn",        0x6FC5, 10, 16, 10, 0x19, REQ,  NULL),
    LF(1, "ef-opl",        0x6FC6, 5, 8,   10, 0x1A, REQ,  NULL),
    LF(1, "ef-mbdn",       0x6FC7, 3, 24,  5,  0,    REQ,  NULL),
    LF(1, "ef-ext6",       0x6FC8, 10, 13, 5,  0,    0,    "00FF.."),
    LF(1, "ef-mbi",        0x6FC9, 10, 5,  5,  0,    REQ,  NULL),
    LF(1, "ef-mwis",       0x6FCA, 10, 6,  5,  0,    HIGH, "00.."),
    LF(1, "ef-cfis",       0x6FCB, 10, 16, 5,  0,    0,    "0100FF.."),
    LF(1, "ef-ext7",       0x6FCC, 10, 13, 5,  0,    0,    "00FF.."),
    TR(1, "ef-spdi",       0x6FCD, 17,     2,  0x1B, REQ,  NULL),
    LF(1, "ef-mmsn",       0x6FCE, 10, 6,  5,  0,    0,    "000000FF.."),
    LF(1, "ef-ext8",       0x6FCF, 10, 13, 5,  0,    0,    "00FF.."),
    TR(1, "ef-mmsicp",     0x6FD0, 100,    2,  0,    0,    NULL),
    LF(1, "ef-mmsup",      0x6FD1, 0, 0,   5,  0,    0,    NULL),
    TR(1, "ef-mmsucp",     0x6FD2, 100,    5,  0,    0,    NULL),
    LF(1, "ef-nia",        0x6FD3, 5, 11,  2,  0,    0,    NULL),
    TR(1, "ef-vgcsca",     0x6FD4, 0,      2,  0,    0,    "00.."),
    TR(1, "ef-vbsca",      0x6FD5, 0,      2,  0,    0,    "00.."),
    TR(1, "ef-gbabp",      0x6FD6, 0,      5,  0,    FILE_GBA, NULL),
    LF(1, "ef-msk",        0x6FD7, 0, 0,   2,  0,    HIGH | FILE_MBMS, NULL),
    LF(1, "ef-muk",        0x6FD8, 0, 0,   2,  0,    FILE_MBMS, NULL),
    TR(1, "ef-ehplmn",     0x6FD9, 15,     2,  0x1D, 0,    NULL),
    LF(1, "ef-gbanl",      0x6FDA, 0, 0,   2,  0,    FILE_GBA, NULL),
    TR(1, "ef-ehplmnpi",   0x6FDB, 1,      2,  0,    0,    "00"),
    TR(1, "ef-lrplmnsi",   0x6FDC, 1,      2,  0,    0,    "00"),
    LF(1, "ef-nafkca",     0x6FDD, 0, 0,   2,  0,    FILE_GBA, NULL),
    TR(1, "ef-spni",       0x6FDE, 0,      10, 0,    0,    "00FF.."),
    LF(1, "ef-pnni",       0x6FDF, 0, 0,   10, 0,    0,    "00FF.."),
    LF(1, "ef-ncp-ip",     0x6FE2, 0, 0,   2,  0,    REQ,  NULL),
    TR(1, "ef-ufc",        0x6FE6, 30,     10, 0,    0,
       "801E60C01E900080040000000000000000F0000000004000000000000080"),
    TR(1, "ef-nasconfig",  0x6FE8, 18,     2,  0,    REQ,  NULL),
    LF(1, "ef-uicciari",   0x6FE7, 0, 0,   2,  0,    REQ,  NULL),
    TR(1, "ef-pws",        0x6FEC, 0,      10, 0,    REQ,  NULL),
    LF(1, "ef-fdnuri",     0x6FED, 0, 0,   8,  0,    0,    NULL),
    LF(1, "ef-bdnuri",     0x6FEE, 0, 0,   8,  0,    0,    NULL),
    LF(1, "ef-sdnuri",     0x6FEF, 0, 0,   2,  0,    0,    NULL),
    LF(1, "ef-ial",        0x6FF0, 0, 0,   3,  0,    0,    NULL), /* ef-iwl before 3.3 */
    CY(1, "ef-ips",        0x6FF1, 0, 4,   10, 0,    HIGH, NULL),
    LF(1, "ef-ipd",        0x6FF2, 0, 0,   3,  0,    HIGH, NULL),
    TR(1, "ef-epdgid",          0x6FF3, 0, 2,  0, REQ | FILE_SINCE(2), NULL),
    TR(1, "ef-epdgselection",   0x6FF4, 0, 2,  0, REQ | FILE_SINCE(2), NULL),
    TR(1, "ef-epdgidem",        0x6FF5, 0, 2,  0, REQ | FILE_SINCE(2), NULL),
    TR(1, "ef-epdgselectionem", 0x6FF6, 0, 2,  0, REQ | FILE_SINCE(2), NULL),
    TR(1, "ef-frompreferred",   0x6FF7, 1, 2,  0, FILE_SINCE(2), "00"),
    BT(1, "ef-imsconfigdata",   0x6FF8,    2,  0, REQ | FILE_SINCE(2)),
    TR(1, "ef-3gpppsdataoff",   0x6FF9, 4, 2,  0, REQ | FILE_SINCE(2), NULL),
    LF(1, "ef-3gpppsdataoffservicelist", 0x6FFA, 0, 0, 2, 0, REQ | FILE_SINCE(2), NULL),
    BT(1, "ef-xcapconfigdata",  0x6FFC,    2,  0, REQ | FILE_SINCE(2)),
    TR(1, "ef-earfcnlist",      0x6FFD, 0, 10, 0, REQ | FILE_SINCE(2), NULL),
    BT(1, "ef-mudmidconfigdata", 0x6FFE,   2,  0, REQ | FILE_SINCE(2)),
    TR(1, "ef-eaka",            0x6F01, 1, 3,  0, REQ | FILE_SINCE(3), NULL),
};

static const struct template_file phonebook_files[] = { PHONEBOOK_ROWS(0) }; /* 9.5.3 */

static const struct template_file gsm_access_files[] = { /* 9.5.4 */
    DF_ROW(0, "df-gsm-access", 0x5F3B),
    TR(1, "ef-kc",      0x4F20, 9,  5, 0x01, HIGH, "FF..07"),
    TR(1, "ef-kcgprs",  0x4F52, 9,  5, 0x02, HIGH, "FF..07"),
    TR(1, "ef-cpbcch",  0x4F63, 10, 5, 0,    HIGH, NULL),
    TR(1, "ef-invscan", 0x4F64, 1,  2, 0,    0,    "00"),
};

static const struct template_file isim_files[] = { /* 9.6.1 */
    ADF_ROW(0, "adf-isim"),
    TR(1, "ef-impi",   0x6F02, 0,    2,  0x02, REQ, NULL),
    LF(1, "ef-impu",   0x6F04, 1, 0, 2,  0x04, REQ, NULL),
    TR(1, "ef-domain", 0x6F03, 0,    2,  0x05, REQ, NULL),
    TR(1, "ef-ist",    0x6F07, 14,   2,  0x07, REQ, NULL),
    TR(1, "ef-ad",     0x6FAD, 3,    10, 0x03, 0,   "000000"),
    LF(1, "ef-arr",    0x6F06, 0, 0, 10, 0x06, REQ, NULL),
};

static const struct template_file opt_isim_files[] = { /* 9.6.2 */
    LF(1, "ef-pcscf",     0x6F09, 1, 0,    2, 0, REQ,      NULL),
    LF(1, "ef-sms",       0x6F3C, 10, 176, 5, 0, 0,        "00FF.."),
    LF(1, "ef-smsp",      0x6F42, 1, 38,   5, 0, 0,        NULL),
    TR(1, "ef-smss",      0x6F43, 2,       5, 0, 0,        NULL),
    LF(1, "ef-smsr",      0x6F47, 10, 30,  5, 0, 0,        "00FF.."),
    TR(1, "ef-gbabp",     0x6FD5, 0,       5, 0, FILE_GBA, NULL),
    LF(1, "ef-gbanl",     0x6FD7, 0, 0,    2, 0, FILE_GBA, NULL),
    LF(1, "ef-nafkca",    0x6FDD, 0, 0,    2, 0, FILE_GBA, NULL),
    LF(1, "ef-uicciari",  0x6FE7, 0, 0,    2, 0, REQ,      NULL),
    TR(1, "ef-frompreferred",    0x6FF7, 1, 2, 0, FILE_SINCE(2), "00"),
    BT(1, "ef-imsconfigdata",    0x6FF8,    2, 0, REQ | FILE_SINCE(2)),
    BT(1, "ef-xcapconfigdata",   0x6FFC,    2, 0, REQ | FILE_SINCE(2)),
    LF(1, "ef-webrtcuri",        0x6FFA, 0, 0, 2, 0, REQ | FILE_SINCE(2), NULL),
    BT(1, "ef-mudmidconfigdata", 0x6FFE,    2, 0, REQ | FILE_SINCE(2)),
};

/* Sizes as the published test profiles leave them to the template; the rest, access rules among
 * it, comes with the profile element. */
static const struct template_file csim_files[] = { /* 9.7.1 */
    { .name = "adf-csim", .kind = FS_KIND_ADF },
    LF(1, "ef-arr",          0x6F06, 0, 0,  0, 0x17, REQ, NULL),
    CY(1, "ef-call-count",   0x6F21, 10, 2, 0, 0,    0,   NULL),
    TR(1, "ef-imsi-m",       0x6F22, 10,    0, 0x04, 0,   NULL),
    TR(1, "ef-imsi-t",       0x6F23, 10,    0, 0x05, 0,   NULL),
    TR(1, "ef-tmsi",         0x6F24, 16,    0, 0x06, 0,   NULL),
    TR(1, "ef-ah",           0x6F25, 2,     0, 0,    0,   NULL),
    TR(1, "ef-aop",          0x6F26, 1,     0, 0,    0,   NULL),
    TR(1, "ef-aloc",         0x6F27, 7,     0, 0,    0,   NULL),
    LF(1, "ef-cdmahome",     0x6F28, 0, 0,  0, 0x0C, 0,   NULL),
    LF(1, "ef-znregi",       0x6F29, 0, 0,  0, 0,    0,   NULL),
    TR(1, "ef-snregi",       0x6F2A, 7,     0, 0x0D, 0,   NULL),
    TR(1, "ef-distregi",     0x6F2B, 8,     0, 0,    0,   NULL),
    TR(1, "ef-accolc",       0x6F2C, 1,     0, 0x03, 0,   NULL),
    TR(1, "ef-term",         0x6F2D, 1,     0, 0,    0,   NULL),
    TR(1, "ef-acp",          0x6F2F, 7,     0, 0,    0,   NULL),
    TR(1, "ef-prl",          0x6F30, 0,     0, 0x07, 0,   NULL),
    TR(1, "ef-ruimid",       0x6F31, 0,     0, 0,    0,   NULL),
    TR(1, "ef-csim-st",      0x6F32, 0,     0, 0x02, 0,   NULL),
    TR(1, "ef-spc",          0x6F33, 3,     0, 0,    0,   NULL),
    TR(1, "ef-otapaspc",     0x6F34, 1,     0, 0,    0,   NULL),
    TR(1, "ef-namlock",      0x6F35, 1,     0, 0,    0,   NULL),
    TR(1, "ef-ota",          0x6F36, 17,    0, 0,    0,   NULL),
    TR(1, "ef-sp",           0x6F37, 1,     0, 0,    0,   NULL),
    TR(1, "ef-esn-meid-me",  0x6F38, 8,     0, 0,    0,   NULL),
    TR(1, "ef-li",           0x6F3A, 0,     0, 0x0A, 0,   NULL),
    TR(1, "ef-usgind",       0x6F42, 1,     0, 0,    0,   NULL),
    TR(1, "ef-ad",           0x6F43, 3,     0, 0x01, 0,   NULL),
    TR(1, "ef-max-prl",      0x6F45, 4,     0, 0,    0,   NULL),
    TR(1, "ef-spcs",         0x6F46, 1,     0, 0,    0,   NULL),
    TR(1, "ef-mecrp",        0x6F55, 3,     0, 0,    0,   NULL),
    TR(1, "ef-home-tag",     0x6F70, 0,     0, 0,    0,   NULL),
    TR(1, "ef-group-tag",    0x6F71, 0,     0, 0,    0,   NULL),
    TR(1, "ef-specific-tag", 0x6F72, 0,     0, 0,    0,   NULL),
    TR(1, "ef-call-prompt",  0x6F73, 0,     0, 0,    0,   NULL),
};

static const struct template_file opt_csim_files[] = { /* 9.7.2; others need all of their FCP */
    TR(1, "ef-ssci",       0x6F2E, 1,     0, 0,    0, NULL),
    LF(1, "ef-fdn",        0x6F3B, 0, 0,  0, 0,    0, NULL),
    LF(1, "ef-sms",        0x6F3C, 0, 0,  0, 0,    0, NULL),
    LF(1, "ef-smsp",       0x6F3D, 0, 0,  0, 0,    0, NULL),
    TR(1, "ef-smss",       0x6F3E, 0,     0, 0,    0, NULL),
    TR(1, "ef-ssfc",       0x6F3F, 0,     0, 0,    0, NULL),
    TR(1, "ef-spn",        0x6F41, 35,    0, 0x08, 0, NULL),
    LF(1, "ef-mdn",        0x6F44, 0, 0,  0, 0,    0, NULL),
    TR(1, "ef-ecc",        0x6F47, 0,     0, 0x09, 0, NULL),
    TR(1, "ef-me3gpdopc",  0x6F48, 1,     0, 0,    0, NULL),
    TR(1, "ef-3gpdopm",    0x6F49, 1,     0, 0,    0, NULL),
    TR(1, "ef-sipcap",     0x6F4A, 4,     0, 0,    0, NULL),
    TR(1, "ef-mipcap",     0x6F4B, 5,     0, 0,    0, NULL),
    TR(1, "ef-sipupp",     0x6F4C, 0,     0, 0,    0, NULL),
    TR(1, "ef-mipupp",     0x6F4D, 0,     0, 0,    0, NULL),
    TR(1, "ef-sipsp",      0x6F4E, 1,     0, 0,    0, NULL),
    TR(1, "ef-mipsp",      0x6F4F, 0,     0, 0,    0, NULL),
    TR(1, "ef-sippapss",   0x6F50, 0,     0, 0,    0, NULL),
    TR(1, "ef-hrpdcap",    0x6F56, 3,     0, 0,    0, NULL),
    TR(1, "ef-hrpdupp",    0x6F57, 0,     0, 0,    0, NULL),
    TR(1, "ef-csspr",      0x6F58, 1,     0, 0,    0, NULL),
    TR(1, "ef-atc",        0x6F59, 1,     0, 0,    0, NULL),
    TR(1, "ef-eprl",       0x6F5A, 0,     0, 0x0E, 0, NULL),
    LF(1, "ef-bcsmsp",     0x6F5E, 0, 0,  0, 0,    0, NULL),
    LF(1, "ef-mmsn",       0x6F65, 0, 0,  0, 0,    0, NULL),
    LF(1, "ef-ext8",       0x6F66, 0, 0,  0, 0,    0, NULL),
    TR(1, "ef-mmsicp",     0x6F67, 0,     0, 0,    0, NULL),
    LF(1, "ef-mmsup",      0x6F68, 0, 0,  0, 0,    0, NULL),
    TR(1, "ef-mmsucp",     0x6F69, 0,     0, 0,    0, NULL),
    TR(1, "ef-3gcik",      0x6F6B, 32,    0, 0x0B, 0, NULL),
    TR(1, "ef-gid1",       0x6F6D, 0,     0, 0,    0, NULL),
    TR(1, "ef-gid2",       0x6F6E, 0,     0, 0,    0, NULL),
    TR(1, "ef-sf-euimid",  0x6F74, 7,     0, 0,    0, NULL),
    TR(1, "ef-est",        0x6F75, 0,     0, 0x0F, 0, NULL),
    TR(1, "ef-hidden-key", 0x6F76, 0,     0, 0,    0, NULL),
    LF(1, "ef-sdn",        0x6F79, 0, 0,  0, 0,    0, NULL),
    LF(1, "ef-ext2",       0x6F7A, 0, 0,  0, 0,    0, NULL),
    LF(1, "ef-ext3",       0x6F7B, 0, 0,  0, 0,    0, NULL),
    CY(1, "ef-ici",        0x6F7C, 0, 0,  0, 0x10, 0, NULL),
    CY(1, "ef-oci",        0x6F7D, 0, 0,  0, 0x11, 0, NULL),
    LF(1, "ef-ext5",       0x6F7E, 0, 0,  0, 0,    0, NULL),
    LF(1, "ef-ccp2",       0x6F7F, 0, 0,  0, 0x12, 0, NULL),
    TR(1, "ef-model",      0x6F81, 126,   0, 0,    0, NULL),
};

static const struct template_file eap_files[] = { /* 9.8 */
    DF_ROW(0, "df-eap", 0),
    TR(1, "ef-eapkeys",   0x4F01, 0, 2, 0, REQ | HIGH, NULL),
    TR(1, "ef-eapstatus", 0x4F02, 1, 2, 0, HIGH, "00"),
    TR(1, "ef-puid",      0x4F03, 0, 2, 0, REQ,  NULL),
    TR(1, "ef-ps",        0x4F04, 0, 5, 0, HIGH, NULL),
    TR(1, "ef-curid",     0x4F20, 0, 5, 0, HIGH, NULL),
    TR(1, "ef-reid",      0x4F21, 0, 5, 0, REQ,  NULL),
    TR(1, "ef-realm",     0x4F22, 0, 5, 0, REQ,  NULL),
};

static const struct template_file df_5gs_files[] = { /* 9.5.11 */
    DF_ROW(0, "df-df-5gs", 0x5FC0),
    TR(1, "ef-5gs3gpploci",       0x4F01, 20,    5,  0x01, HIGH, LOCI_5G),
    TR(1, "ef-5gsn3gpploci",      0x4F02, 20,    5,  0x02, HIGH, LOCI_5G),
    LF(1, "ef-5gs3gppnsc",        0x4F03, 1, 57, 5,  0x03, HIGH, NULL),
    LF(1, "ef-5gs3gppnsc",        0x4F03, 2, 62, 5,  0x03, HIGH | FILE_SINCE(3), NULL),
    LF(1, "ef-5gsn3gppnsc",       0x4F04, 1, 57, 5,  0x04, HIGH, NULL),
    LF(1, "ef-5gsn3gppnsc",       0x4F04, 2, 62, 5,  0x04, HIGH | FILE_SINCE(3), NULL),
    TR(1, "ef-5gauthkeys",        0x4F05, 110,   5,  0x05, REQ | HIGH, NULL),
    TR(1, "ef-uac-aic",           0x4F06, 4,     2,  0x06, REQ,  NULL),
    TR(1, "ef-suci-calc-info",    0x4F07, 0,     2,  0x07, 0,    NULL),
    LF(1, "ef-opl5g",             0x4F08, 0, 10, 10, 0x08, 0,    NULL),
    TR(1, "ef-supinai",           0x4F09, 0,     2,  0x09, REQ,  NULL),
    TR(1, "ef-routing-indicator", 0x4F0A, 4,     2,  0x0A, 0,    "F0FFFFFF"),
    TR(1, "ef-routing-indicator", 0x4F0A, 4,     2,  0x0A, FILE_SINCE(4), "F0FF0000"),
    BT(1, "ef-ursp",              0x4F0B,        2,  0,    FILE_SINCE(2)),
    TR(1, "ef-tn3gppsnn",         0x4F0C, 1,     2,  0x0C, FILE_SINCE(2), "00"),
    TR(1, "ef-cag",               0x4F0D, 2,     2,  0x0D, REQ | FILE_SINCE(4), NULL),
    TR(1, "ef-sor-cmci",          0x4F0E, 0,     2,  0x0E, REQ | FILE_SINCE(4), NULL),
    TR(1, "ef-dri",               0x4F0F, 7,     2,  0x0F, REQ | FILE_SINCE(4), NULL),
    TR(1, "ef-5gsedrx",           0x4F10, 2,     2,  0x10, REQ | FILE_SINCE(4), NULL),
    TR(1, "ef-5gnswo-conf",       0x4F11, 1,     2,  0x11, REQ | FILE_SINCE(4), NULL),
    TR(1, "ef-mchpplmn",          0x4F15, 1,     2,  0x15, REQ | FILE_SINCE(4), NULL),
    TR(1, "ef-kausf-derivation",  0x4F16, 1,     2,  0x16, REQ | FILE_SINCE(4), NULL),
};

static const struct template_file df_saip_files[] = { /* 9.5.12 */
    DF_ROW(0, "df-df-saip", 0x5FD0),
    TR(1, "ef-suci-calc-info-usim", 0x4F01, 0, 3, 0, 0, NULL),
};

static const struct template_file df_snpn_files[] = { /* 9.5.13 */
    DF_ROW(0, "df-df-snpn", 0x5FE0),
    TR(1, "ef-pws-snpn", 0x4F01, 1, 10, 0, REQ, NULL),
};

static const struct template_file df_5gprose_files[] = { /* 9.5.14 */
    DF_ROW(0, "df-df-5g-prose", 0x5FF0),
    TR(1, "ef-5g-prose-st",    0x4F01, 1,  2, 0x01, REQ, NULL),
    TR(1, "ef-5g-prose-dd",    0x4F02, 26, 2, 0x02, REQ, NULL),
    TR(1, "ef-5g-prose-dc",    0x4F03, 12, 2, 0x03, REQ, NULL),
    TR(1, "ef-5g-prose-u2nru", 0x4F04, 32, 2, 0x04, REQ, NULL),
    TR(1, "ef-5g-prose-ru",    0x4F05, 29, 2, 0x05, REQ, NULL),
    TR(1, "ef-5g-prose-uir",   0x4F06, 32, 2, 0x06, REQ, NULL),
};

static const struct template_file iot_files[] = { /* 9.10.1 */
    { .name = "mf", .fid = FID_MF, .kind = FS_KIND_MF, .arr = 14 },
    TR(1, "ef-pl",        0x2F05, 2,      1,  0x05, 0,    NULL),
    TR(1, "ef-iccid",     0x2FE2, 10,     11, 0x00, 0,    NULL),
    LF(1, "ef-dir",       0x2F00, 1, 38,  10, 0x1E, 0,    NULL),
    LF(1, "ef-arr",       0x2F06, 14, 33, 10, 0x00, 0,    "ARR"),
    TR(1, "ef-umpc",      0x2F08, 5,      10, 0x08, 0,    NULL),
    ADF_ROW(1, "adf-usim"),
    TR(2, "ef-imsi",      0x6F07, 9,      2,  0x07, REQ,  NULL),
    LF(2, "ef-arr-usim",  0x6F06, 14, 33, 10, 0x17, 0,    "ARR"),
    TR(2, "ef-keys",      0x6F08, 33,     5,  0x08, HIGH, "07FF.."),
    TR(2, "ef-keysPS",    0x6F09, 33,     5,  0x09, HIGH, "07FF.."),
    TR(2, "ef-hpplmn",    0x6F31, 1,      2,  0x12, 0,    "0A"),
    TR(2, "ef-ust",       0x6F38, 17,     2,  0x04, 0,    "00.."),
    TR(2, "ef-start-hfn", 0x6F5B, 6,      5,  0x0F, HIGH, "F00000F00000"),
    TR(2, "ef-threshold", 0x6F5C, 3,      2,  0x10, 0,    NULL),
    TR(2, "ef-psloci",    0x6F73, 14,     5,  0x0C, HIGH, PSLOCI),
    TR(2, "ef-acc",       0x6F78, 2,      2,  0x06, REQ,  NULL),
    TR(2, "ef-fplmn",     0x6F7B, 12,     5,  0x0D, 0,    NULL),
    TR(2, "ef-loci",      0x6F7E, 11,     5,  0x0B, HIGH, "FFFFFFFFFFFFFF0000FF01"),
    TR(2, "ef-ad",        0x6FAD, 4,      10, 0x03, 0,    "00000002"),
    LF(2, "ef-ecc",       0x6FB7, 1, 4,   10, 0x01, 0,    NULL),
    TR(2, "ef-netpar",    0x6FC4, 128,    5,  0,    HIGH, NULL),
};

static const struct template_file opt_iot_files[] = { /* 9.10.2 */
    LF(1, "ef-fdn",       0x6F3B, 20, 26,  8,  0,    0,    NULL),
    LF(1, "ef-sms",       0x6F3C, 10, 176, 5,  0,    0,    "00FF.."),
    LF(1, "ef-smsp",      0x6F42, 1, 38,   5,  0,    0,    NULL),
    TR(1, "ef-smss",      0x6F43, 2,       5,  0,    0,    NULL),
    TR(1, "ef-spn",       0x6F46, 17,      10, 0,    REQ,  NULL),
    TR(1, "ef-est",       0x6F56, 1,       8,  0x05, REQ,  NULL),
    TR(1, "ef-oplmnwact", 0x6F61, 40,      2,  0x11, 0,    "FFFFFF0000*"),
    TR(1, "ef-hplmnwact", 0x6F62, 5,       2,  0x13, 0,    "FFFFFF0000*"),
    TR(1, "ef-ehplmn",    0x6FD9, 15,      2,  0x1D, 0,    NULL),
    TR(1, "ef-epsloci",   0x6FE3, 18,      5,  0x1E, HIGH, EPSLOCI),
    LF(1, "ef-epsnsc",    0x6FE4, 1, 80,   5,  0x18, HIGH, NULL),
    DF_ROW(1, "df-df-5gs", 0x5FC0),
    TR(2, "ef-5gs3gpploci",       0x4F01, 20,    5,  0x01, HIGH, LOCI_5G),
    TR(2, "ef-5gsn3gpploci",      0x4F02, 20,    5,  0x02, HIGH, LOCI_5G),
    LF(2, "ef-5gs3gppnsc",        0x4F03, 2, 62, 5,  0x03, HIGH, NULL),
    LF(2, "ef-5gsn3gppnsc",       0x4F04, 2, 62, 5,  0x04, HIGH, NULL),
    TR(2, "ef-5gauthkeys",        0x4F05, 110,   5,  0x05, REQ | HIGH, NULL),
    TR(2, "ef-uac-aic",           0x4F06, 4,     2,  0x06, REQ,  NULL),
    TR(2, "ef-suci-calc-info",    0x4F07, 0,     2,  0x07, 0,    NULL),
    LF(2, "ef-opl5g",             0x4F08, 0, 10, 10, 0x08, 0,    NULL),
    TR(2, "ef-supi-nai",          0x4F09, 0,     2,  0x09, REQ,  NULL),
    TR(2, "ef-routing-indicator", 0x4F0A, 4,     2,  0x0A, 0,    "F0FFFFFF"),
    BT(2, "ef-ursp",              0x4F0B,        2,  0,    0),
    TR(2, "ef-tn3gppsnn",         0x4F0C, 1,     2,  0x0C, 0,    "00"),
    DF_ROW(1, "df-df-saip", 0x5FD0),
    TR(2, "ef-suci-calc-info-usim", 0x4F01, 0, 3, 0, 0, NULL),
};

#define FILES(rows) .n = N_ELEMS(rows), .files = (rows)

static const struct template templates[] = {
    { TEMPLATE_MF,         1, BASE_NONE, true,  FILES(mf_files) },
    { TEMPLATE_CD,         1, BASE_MF,   false, FILES(cd_files) },
    { TEMPLATE_TELECOM,    1, BASE_MF,   false, FILES(telecom_files) },
    { TEMPLATE_TELECOM,    2, BASE_MF,   false, FILES(telecom_files) },
    { TEMPLATE_USIM,       1, BASE_MF,   true,  FILES(usim_files) },
    { TEMPLATE_USIM,       2, BASE_MF,   true,  FILES(usim_files) },
    { TEMPLATE_OPT_USIM,   1, BASE_USIM, false, FILES(opt_usim_files) },
    { TEMPLATE_OPT_USIM,   2, BASE_USIM, false, FILES(opt_usim_files) },
    { TEMPLATE_OPT_USIM,   3, BASE_USIM, false, FILES(opt_usim_files) },
    { TEMPLATE_PHONEBOOK,  1, BASE_USIM, false, FILES(phonebook_files) },
    { TEMPLATE_GSM_ACCESS, 1, BASE_USIM, false, FILES(gsm_access_files) },
    { TEMPLATE_ISIM,       1, BASE_MF,   true,  FILES(isim_files) },
    { TEMPLATE_OPT_ISIM,   1, BASE_ISIM, false, FILES(opt_isim_files) },
    { TEMPLATE_OPT_ISIM,   2, BASE_ISIM, false, FILES(opt_isim_files) },
    { TEMPLATE_CSIM,       1, BASE_MF,   true,  FILES(csim_files) },
    { TEMPLATE_CSIM,       2, BASE_MF,   true,  FILES(csim_files) },
    { TEMPLATE_OPT_CSIM,   1, BASE_CSIM, false, FILES(opt_csim_files) },
    { TEMPLATE_OPT_CSIM,   2, BASE_CSIM, false, FILES(opt_csim_files) },
    { TEMPLATE_EAP,        1, BASE_NAA,  false, FILES(eap_files) },
    { TEMPLATE_DF_5GS,     1, BASE_USIM, false, FILES(df_5gs_files) },
    { TEMPLATE_DF_5GS,     2, BASE_USIM, false, FILES(df_5gs_files) },
    { TEMPLATE_DF_5GS,     3, BASE_USIM, false, FILES(df_5gs_files) },
    { TEMPLATE_DF_5GS,     4, BASE_USIM, false, FILES(df_5gs_files) },
    { TEMPLATE_DF_SAIP,    1, BASE_USIM, false, FILES(df_saip_files) },
    { TEMPLATE_DF_SNPN,    1, BASE_USIM, false, FILES(df_snpn_files) },
    { TEMPLATE_DF_5GPROSE, 1, BASE_USIM, false, FILES(df_5gprose_files) },
    { TEMPLATE_IOT,        1, BASE_NONE, true,  FILES(iot_files) },
    { TEMPLATE_OPT_IOT,    1, BASE_USIM, false, FILES(opt_iot_files) },
};

/* clang-format on */

/* 2.23.143.1.2; behind it x, or x and the version. */
static const uint8_t oid_prefix[] = { 0x67, 0x81, 0x0F, 0x01, 0x02 };

const struct template *template_find(struct rd oid)
{
    size_t prefix = sizeof oid_prefix;

    if (oid.n < prefix + 1 || oid.n > prefix + 2 || memcmp(oid.p, oid_prefix, prefix) != 0)
        return NULL;
    uint8_t number = oid.p[prefix], version = oid.n == prefix + 2 ? oid.p[prefix + 1] : 1;
    if (oid.n == prefix + 2 && version == 1)
        return NULL; /* the first versions have none in their OID */
    for (size_t i = 0; i < N_ELEMS(templates); i++)
        if (templates[i].number == number && templates[i].version == version)
            return &templates[i];
    return NULL;
}

const struct template_file *template_file(const struct template *t, const char *name,
                                          size_t *cursor)
{
    const struct template_file *found = NULL;
    size_t i = *cursor;

    while (i < t->n && strcmp(t->files[i].name, name) != 0)
        i++;
    /* A file of a later version is taken as it is there. */
    for (; i < t->n && strcmp(t->files[i].name, name) == 0; i++) {
        if (found == NULL || t->files[i].flags >> FILE_VERSION_SHIFT <= t->version)
            found = &t->files[i];
        *cursor = i + 1;
    }
    return found;
}

/* --- contents --------------------------------------------------------------------------------- */

/* TCA 9.9.  AM_DO (80: bits; 84: INS) and SC_DO in turn: 90 always, 97 never, A4 a PIN: 01 PIN1,
 * 81 PIN2, 0A ADM1. */
#define PIN1 "A406830101950108"
#define PIN2 "A406830181950108"
#define ADM1 "A40683010A950108"
static const char *const arr_records[] = {
    "8001019000800102" PIN1 "800158" ADM1,
    "800101" PIN1 "80015A" ADM1,
    "80015B" ADM1,
    "800101900080011A9700800140" ADM1,
    "800103" PIN1 "800158" ADM1,
    "800111" PIN1 "80014A" ADM1,
    "800103" PIN1 "800158" ADM1 "840132" PIN1,
    "800101" PIN1 "800102" PIN2 "800158" ADM1,
    "800101900080011A" PIN1 "800140" ADM1,
    "800101900080015A" ADM1,
    "8001019000800118" ADM1 "8001429700",
    "800101" PIN1 "80015A9700",
    "800113" PIN1 "800148" ADM1,
    "80015E" ADM1,
};

const char *template_arr(unsigned record)
{
    return record >= 1 && record <= N_ELEMS(arr_records) ? arr_records[record - 1] : NULL;
}

/* Hex digits n octets long at the most; returns how many there were. */
static size_t put_hex(const char *text, size_t digits, uint8_t *p, size_t n)
{
    size_t octets = digits / 2 < n ? digits / 2 : n;

    for (size_t i = 0; i < octets; i++)
        p[i] = (uint8_t)hex_octet(text + 2 * i);
    return octets;
}

void template_contents(const char *contents, unsigned record, uint8_t *p, size_t n)
{
    const char *dots;
    size_t done;

    memset(p, 0xFF, n);
    if (contents != NULL && strcmp(contents, "ARR") == 0)
        contents = template_arr(record);
    if (contents == NULL)
        return;
    size_t len = strlen(contents);
    if (contents[len - 1] == '*') {
        for (done = 0; done < n;)
            done += put_hex(contents, len - 1, p + done, n - done);
        return;
    }
    dots = strstr(contents, "..");
    if (dots == NULL) {
        put_hex(contents, len, p, n);
        return;
    }
    done = put_hex(contents, (size_t)(dots - contents), p, n);
    size_t tail = strlen(dots + 2) / 2;
    size_t filled = n - done > tail ? n - tail - done : 0;
    memset(p + done, hex_octet(dots - 2), filled);
    put_hex(dots + 2, 2 * tail, p + done + filled, n - done - filled);
}
