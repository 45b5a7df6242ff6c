/* templates.h - the file systems that profile elements name by template (TCA eUICC Profile Package
 * clause 9): one table a template, a row a file. */
#ifndef APPLETS_ISDP_TEMPLATES_H
#define APPLETS_ISDP_TEMPLATES_H

#include "os/buf.h"
#include "os/fs.h"

enum template_number { /* x of 2.23.143.1.2.x */
                       TEMPLATE_MF = 1,
                       TEMPLATE_CD,
                       TEMPLATE_TELECOM,
                       TEMPLATE_USIM,
                       TEMPLATE_OPT_USIM,
                       TEMPLATE_PHONEBOOK,
                       TEMPLATE_GSM_ACCESS,
                       TEMPLATE_ISIM,
                       TEMPLATE_OPT_ISIM,
                       TEMPLATE_CSIM,
                       TEMPLATE_OPT_CSIM,
                       TEMPLATE_EAP,
                       TEMPLATE_DF_5GS,
                       TEMPLATE_DF_SAIP,
                       TEMPLATE_DF_SNPN,
                       TEMPLATE_DF_5GPROSE,
                       TEMPLATE_IOT,
                       TEMPLATE_OPT_IOT,
};

/* Where a template's files go. */
enum template_base {
    BASE_NONE, /* it makes the MF itself */
    BASE_MF,
    BASE_USIM, /* the nearest ADF of this kind before it */
    BASE_ISIM,
    BASE_CSIM,
    BASE_NAA, /* the nearest of any kind */
};

enum {
    FILE_REQUIRED = 1 << 0,    /* its contents come with the profile; nothing makes sense without */
    FILE_HIGH_UPDATE = 1 << 1, /* high update activity */
    FILE_GBA = 1 << 2,         /* of no use without this service of the platform */
    FILE_MBMS = 1 << 3,
    FILE_VERSION_SHIFT = 4, /* version that brought this row, where it is not the first */
};

#define FILE_SINCE(version) ((version) << FILE_VERSION_SHIFT)

/* One file.  Where a later version changes one, rows of the same name follow each other. */
struct template_file {
    const char *name;     /* of the component in the profile element */
    uint8_t level;        /* 0: at the template's base; n + 1: in the DF of level n before it */
    uint8_t kind;         /* enum fs_kind */
    uint16_t fid;         /* first of its range; 0: the profile element must say */
    uint16_t size;        /* octets; 0: the profile element must say */
    uint8_t records;      /* LINEAR, CYCLIC; 0: the profile element must say */
    uint8_t record_len;   /* likewise */
    uint8_t arr;          /* record of EF.ARR; 0: the profile element must say */
    uint8_t sfi;          /* 0: none */
    uint8_t flags;        /* FILE_... */
    const char *contents; /* see template_contents(); NULL: FF */
};

struct template
{
    uint8_t number, version;
    uint8_t base;    /* enum template_base */
    bool by_default; /* all files are created, whether the profile element has them or not */
    size_t n;
    const struct template_file *files;
};

/* By the contents of its OBJECT IDENTIFIER; NULL when there is no such template. */
const struct template *template_find(struct rd oid);

/* The row of a name.  *cursor is 0 for the first name; names come in the order of the rows.  NULL
 * when the template does not describe such a file. */
const struct template_file *template_file(const struct template *t, const char *name,
                                          size_t *cursor);

/* Fills n octets, a transparent EF or the record-th record from 1, with what a row's contents say:
 * hex digits, with FF where they end; ".." behind an octet repeats it as often as there is room,
 * "*" at the end repeats all; "ARR" stands for the rules of TCA 9.9. */
void template_contents(const char *contents, unsigned record, uint8_t *p, size_t n);

/* Records of EF.ARR that the rows' numbers mean, where a profile brings none of its own; NULL
 * beyond the last.  Hex digits. */
const char *template_arr(unsigned record);

#endif
