/* test_templates.c - applets/isdp/templates: every row against the facts of TCA clause 9, written
 * down here a second time; and that rows and ASN.1 types go together. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ProfileElement.h>

#include "applets/isdp/templates.h"
#include "os/err.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

/* Component, FID (tmp: from the element), TR size, LF or CY records x length, BT, DF or ADF; ?
 * where the element must say; A: ARR, S: SFI; contents, REQ, or - and nothing for FF; h: high
 * update activity.  ".." repeats the octet before it, "*" repeats all.  Version 2 and later name
 * what they add or change. */
/* clang-format off */
static const struct {
    int number, version;
    const char *rows;
} facts[] = {
    { TEMPLATE_MF, 1,
      "mf 3F00 MF A14 -\n"
      "ef-pl 2F05 TR2 A1 S05 FF..FF\n"
      "ef-iccid 2FE2 TR10 A11 REQ\n"
      "ef-dir 2F00 LF?x? A10 S1E REQ\n"
      "ef-arr 2F06 LF?x? A10 REQ\n"
      "ef-umpc 2F08 TR5 A10 S08 -\n" },
    { TEMPLATE_CD, 1,
      "df-cd 7F11 DF A14\n"
      "ef-launchpad 6F01 TR? A2 REQ\n"
      "ef-icon 6F40 TR? A2 REQ\n" },
    { TEMPLATE_TELECOM, 1,
      "df-telecom 7F10 DF A14 -\n"
      "ef-arr 6F06 LF?x? A10 REQ\n"
      "ef-rma 6F53 LF?x? A3 REQ\n"
      "ef-sume 6F54 TR22 A3 REQ\n"
      "ef-ice-dn 6FE0 LF50x24 A9 FF..FF\n"
      "ef-ice-ff 6FE1 LF?x? A9 FF..FF\n"
      "ef-psismsc 6FE5 LF?x? A5 REQ\n"
      "df-graphics 5F50 DF A14 -\n"
      "ef-img 4F20 LF?x? A2 00FF..FF\n"
      "ef-ice-graphics 4F21 BT? A9 -\n"
      "ef-launch-scws 4F01 TR? A10 REQ\n"
      "ef-iidf 4F40 TR? A2 FF..FF\n"
      "ef-icon 4F80 TR? A10 REQ\n"
      "df-phonebook 5F3A DF A14 -\n"
      "ef-pbr 4F30 LF?x? A2 REQ\n"
      "ef-ext1 4F38 LF?x13 A5 00FF..FF\n"
      "ef-aas 4F40 LF?x? A5 FF..FF\n"
      "ef-gas 4F48 LF?x? A5 FF..FF\n"
      "ef-psc 4F22 TR4 A5 00000000\n"
      "ef-cc 4F23 TR2 A5 0000 h\n"
      "ef-puid 4F24 TR2 A5 0000 h\n"
      "ef-iap 4F50 LF?x? A5 FF..FF\n"
      "ef-adn 4F58 LF?x? A5 FF..FF\n"
      "ef-pbc 4F60 LF?x2 A5 00..00\n"
      "ef-anr 4F68 LF?x? A5 FF..FF\n"
      "ef-puri 4F70 LF?x? A5 REQ\n"
      "ef-email 4F78 LF?x? A5 FF..FF\n"
      "ef-sne 4F80 LF?x? A5 FF..FF\n"
      "ef-uid 4F88 LF?x2 A5 0000\n"
      "ef-grp 4F90 LF?x? A5 00..00\n"
      "ef-ccp1 4F98 LF?x? A5 FF..FF\n"
      "df-multimedia 5F3B DF A14 -\n"
      "ef-mml 4F47 BT? A5 -\n"
      "ef-mmdf 4F48 BT? A5 -\n"
      "df-mmss 5F3C DF A14 -\n"
      "ef-mlpl 4F20 TR? A2 S01 REQ\n"
      "ef-mspl 4F21 TR? A2 S02 REQ\n"
      "ef-mmssmode 4F22 TR1 A2 S03 REQ\n" },
    { TEMPLATE_TELECOM, 2,
      "df-mcs 5F3D DF A14\n"
      "ef-mst 4F01 TR? A2 S01 REQ\n"
      "ef-mcs-config 4F02 BT? A2 S02 REQ\n"
      "df-v2x 5F3E DF A14\n"
      "ef-vst 4F01 TR? A2 S01 REQ\n"
      "ef-v2x-config 4F02 BT? A2 S02 REQ\n"
      "ef-v2xp-pc5 4F03 TR? A2 REQ\n"
      "ef-v2xp-Uu 4F04 TR? A2 REQ\n" },
    { TEMPLATE_USIM, 1,
      "adf-usim tmp ADF A14 -\n"
      "ef-imsi 6F07 TR9 A2 S07 REQ\n"
      "ef-arr 6F06 LF?x? A10 S17 REQ\n"
      "ef-keys 6F08 TR33 A5 S08 07FF..FF h\n"
      "ef-keysPS 6F09 TR33 A5 S09 07FF..FF h\n"
      "ef-hpplmn 6F31 TR1 A2 S12 0A\n"
      "ef-ust 6F38 TR14 A2 S04 REQ\n"
      "ef-fdn 6F3B LF20x26 A8 FF..FF\n"
      "ef-sms 6F3C LF10x176 A5 00FF..FF\n"
      "ef-smsp 6F42 LF1x38 A5 FF..FF\n"
      "ef-smss 6F43 TR2 A5 FFFF\n"
      "ef-spn 6F46 TR17 A10 REQ\n"
      "ef-est 6F56 TR1 A8 S05 REQ\n"
      "ef-start-hfn 6F5B TR6 A5 S0F F00000F00000 h\n"
      "ef-threshold 6F5C TR3 A2 S10 FFFFFF\n"
      "ef-psloci 6F73 TR14 A5 S0C FFFFFFFFFFFFFFFFFFFF0000FF01 h\n"
      "ef-acc 6F78 TR2 A2 S06 REQ\n"
      "ef-fplmn 6F7B TR12 A5 S0D FF..FF\n"
      "ef-loci 6F7E TR11 A5 S0B FFFFFFFFFFFFFF0000FF01 h\n"
      "ef-ad 6FAD TR4 A10 S03 00000002\n"
      "ef-ecc 6FB7 LF1x4 A10 S01 REQ\n"
      "ef-netpar 6FC4 TR128 A5 FF..FF h\n"
      "ef-epsloci 6FE3 TR18 A5 S1E FFFFFFFFFFFFFFFFFFFFFFFFFFFFFF000001 h\n"
      "ef-epsnsc 6FE4 LF1x80 A5 S18 FF..FF h\n" },
    { TEMPLATE_USIM, 2,
      "ef-ust 6F38 TR17 A2 S04 REQ\n" },
    { TEMPLATE_OPT_USIM, 1,
      "ef-li 6F05 TR6 A1 S02 FF..FF\n"
      "ef-acmax 6F37 TR3 A5 000000\n"
      "ef-acm 6F39 CY1x3 A7 000000 h\n"
      "ef-gid1 6F3E TR8 A2 REQ\n"
      "ef-gid2 6F3F TR8 A2 REQ\n"
      "ef-msisdn 6F40 LF1x24 A2 FF..FF\n"
      "ef-puct 6F41 TR5 A5 FFFFFF0000\n"
      "ef-cbmi 6F45 TR10 A5 FF..FF\n"
      "ef-cbmid 6F48 TR10 A2 S0E FF..FF\n"
      "ef-sdn 6F49 LF10x24 A2 FF..FF\n"
      "ef-ext2 6F4B LF10x13 A8 00FF..FF\n"
      "ef-ext3 6F4C LF10x13 A2 00FF..FF\n"
      "ef-cbmir 6F50 TR20 A5 FF..FF\n"
      "ef-plmnwact 6F60 TR40 A5 S0A FFFFFF0000*\n"
      "ef-oplmnwact 6F61 TR40 A2 S11 FFFFFF0000*\n"
      "ef-hplmnwact 6F62 TR5 A2 S13 FFFFFF0000*\n"
      "ef-dck 6F2C TR16 A5 FF..FF\n"
      "ef-cnl 6F32 TR30 A2 FF..FF\n"
      "ef-smsr 6F47 LF10x30 A5 00FF..FF\n"
      "ef-bdn 6F4D LF10x25 A8 FF..FF\n"
      "ef-ext5 6F4E LF10x13 A5 00FF..FF\n"
      "ef-ccp2 6F4F LF5x15 A5 S16 FF..FF\n"
      "ef-ext4 6F55 LF10x13 A8 00FF..FF\n"
      "ef-acl 6F57 TR101 A8 00FF..FF\n"
      "ef-cmi 6F58 LF10x11 A2 FF..FF\n"
      "ef-ici 6F80 CY20x38 A5 S14 FF..FF0000000001FFFF h\n"
      "ef-oci 6F81 CY20x37 A5 S15 FF..FF00000001FFFF h\n"
      "ef-ict 6F82 CY1x3 A7 000000 h\n"
      "ef-oct 6F83 CY1x3 A7 000000 h\n"
      "ef-vgcs 6FB1 TR20 A2 REQ\n"
      "ef-vgcss 6FB2 TR7 A5 REQ\n"
      "ef-vbs 6FB3 TR20 A2 REQ\n"
      "ef-vbss 6FB4 TR7 A5 REQ\n"
      "ef-emlpp 6FB5 TR2 A2 REQ\n"
      "ef-aaem 6FB6 TR1 A5 00\n"
      "ef-hiddenkey 6FC3 TR4 A5 FF..FF\n"
      "ef-pnn 6FC5 LF10x16 A10 S19 REQ\n"
      "ef-opl 6FC6 LF5x8 A10 S1A REQ\n"
      "ef-mbdn 6FC7 LF3x24 A5 REQ\n"
      "ef-ext6 6FC8 LF10x13 A5 00FF..FF\n"
      "ef-mbi 6FC9 LF10x5 A5 REQ\n"
      "ef-mwis 6FCA LF10x6 A5 00..00 h\n"
      "ef-cfis 6FCB LF10x16 A5 0100FF..FF\n"
      "ef-ext7 6FCC LF10x13 A5 00FF..FF\n"
      "ef-spdi 6FCD TR17 A2 S1B REQ\n"
      "ef-mmsn 6FCE LF10x6 A5 000000FF..FF\n"
      "ef-ext8 6FCF LF10x13 A5 00FF..FF\n"
      "ef-mmsicp 6FD0 TR100 A2 FF..FF\n"
      "ef-mmsup 6FD1 LF?x? A5 FF..FF\n"
      "ef-mmsucp 6FD2 TR100 A5 FF..FF\n"
      "ef-nia 6FD3 LF5x11 A2 FF..FF\n"
      "ef-vgcsca 6FD4 TR? A2 00..00\n"
      "ef-vbsca 6FD5 TR? A2 00..00\n"
      "ef-gbabp 6FD6 TR? A5 FF..FF\n"
      "ef-msk 6FD7 LF?x? A2 FF..FF h\n"
      "ef-muk 6FD8 LF?x? A2 FF..FF\n"
      "ef-ehplmn 6FD9 TR15 A2 S1D FF..FF\n"
      "ef-gbanl 6FDA LF?x? A2 FF..FF\n"
      "ef-ehplmnpi 6FDB TR1 A2 00\n"
      "ef-lrplmnsi 6FDC TR1 A2 00\n"
      "ef-nafkca 6FDD LF?x? A2 FF..FF\n"
      "ef-spni 6FDE TR? A10 00FF..FF\n"
      "ef-pnni 6FDF LF?x? A10 00FF..FF\n"
      "ef-ncp-ip 6FE2 LF?x? A2 REQ\n"
      "ef-ufc 6FE6 TR30 A10 801E60C01E900080040000000000000000F0000000004000000000000080\n"
      "ef-nasconfig 6FE8 TR18 A2 REQ\n"
      "ef-uicciari 6FE7 LF?x? A2 REQ\n"
      "ef-pws 6FEC TR? A10 REQ\n"
      "ef-fdnuri 6FED LF?x? A8 FF..FF\n"
      "ef-bdnuri 6FEE LF?x? A8 FF..FF\n"
      "ef-sdnuri 6FEF LF?x? A2 FF..FF\n"
      "ef-ial 6FF0 LF?x? A3 FF..FF\n"
      "ef-ips 6FF1 CY?x4 A10 FF..FF h\n"
      "ef-ipd 6FF2 LF?x? A3 FF..FF h\n" },
    { TEMPLATE_OPT_USIM, 2,
      "ef-epdgid 6FF3 TR? A2 REQ\n"
      "ef-epdgselection 6FF4 TR? A2 REQ\n"
      "ef-epdgidem 6FF5 TR? A2 REQ\n"
      "ef-epdgselectionem 6FF6 TR? A2 REQ\n"
      "ef-frompreferred 6FF7 TR1 A2 00\n"
      "ef-imsconfigdata 6FF8 BT? A2 REQ\n"
      "ef-3gpppsdataoff 6FF9 TR4 A2 REQ\n"
      "ef-3gpppsdataoffservicelist 6FFA LF?x? A2 REQ\n"
      "ef-xcapconfigdata 6FFC BT? A2 REQ\n"
      "ef-earfcnlist 6FFD TR? A10 REQ\n"
      "ef-mudmidconfigdata 6FFE BT? A2 REQ\n" },
    { TEMPLATE_OPT_USIM, 3,
      "ef-eaka 6F01 TR1 A3 REQ\n" },
    { TEMPLATE_PHONEBOOK, 1,
      "df-phonebook 5F3A DF A14 -\n"
      "ef-pbr 4F30 LF?x? A2 REQ\n"
      "ef-ext1 4F38 LF?x13 A5 00FF..FF\n"
      "ef-aas 4F40 LF?x? A5 FF..FF\n"
      "ef-gas 4F48 LF?x? A5 FF..FF\n"
      "ef-psc 4F22 TR4 A5 00000000\n"
      "ef-cc 4F23 TR2 A5 0000 h\n"
      "ef-puid 4F24 TR2 A5 0000 h\n"
      "ef-iap 4F50 LF?x? A5 FF..FF\n"
      "ef-adn 4F58 LF?x? A5 FF..FF\n"
      "ef-pbc 4F60 LF?x2 A5 00..00\n"
      "ef-anr 4F68 LF?x? A5 FF..FF\n"
      "ef-puri 4F70 LF?x? A5 REQ\n"
      "ef-email 4F78 LF?x? A5 FF..FF\n"
      "ef-sne 4F80 LF?x? A5 FF..FF\n"
      "ef-uid 4F88 LF?x2 A5 0000\n"
      "ef-grp 4F90 LF?x? A5 00..00\n"
      "ef-ccp1 4F98 LF?x? A5 FF..FF\n" },
    { TEMPLATE_GSM_ACCESS, 1,
      "df-gsm-access 5F3B DF A14 -\n"
      "ef-kc 4F20 TR9 A5 S01 FF..FF07 h\n"
      "ef-kcgprs 4F52 TR9 A5 S02 FF..FF07 h\n"
      "ef-cpbcch 4F63 TR10 A5 FF..FF h\n"
      "ef-invscan 4F64 TR1 A2 00\n" },
    { TEMPLATE_ISIM, 1,
      "adf-isim tmp ADF A14 -\n"
      "ef-impi 6F02 TR? A2 S02 REQ\n"
      "ef-impu 6F04 LF1x? A2 S04 REQ\n"
      "ef-domain 6F03 TR? A2 S05 REQ\n"
      "ef-ist 6F07 TR14 A2 S07 REQ\n"
      "ef-ad 6FAD TR3 A10 S03 000000\n"
      "ef-arr 6F06 LF?x? A10 S06 REQ\n" },
    { TEMPLATE_OPT_ISIM, 1,
      "ef-pcscf 6F09 LF1x? A2 REQ\n"
      "ef-sms 6F3C LF10x176 A5 00FF..FF\n"
      "ef-smsp 6F42 LF1x38 A5 FF..FF\n"
      "ef-smss 6F43 TR2 A5 FFFF\n"
      "ef-smsr 6F47 LF10x30 A5 00FF..FF\n"
      "ef-gbabp 6FD5 TR? A5 FF..FF\n"
      "ef-gbanl 6FD7 LF?x? A2 FF..FF\n"
      "ef-nafkca 6FDD LF?x? A2 FF..FF\n"
      "ef-uicciari 6FE7 LF?x? A2 REQ\n" },
    { TEMPLATE_OPT_ISIM, 2,
      "ef-frompreferred 6FF7 TR1 A2 00\n"
      "ef-imsconfigdata 6FF8 BT? A2 REQ\n"
      "ef-xcapconfigdata 6FFC BT? A2 REQ\n"
      "ef-webrtcuri 6FFA LF?x? A2 REQ\n"
      "ef-mudmidconfigdata 6FFE BT? A2 REQ\n" },
    { TEMPLATE_CSIM, 1,
      "ef-arr 6F06 LF?x? S17\n"
      "ef-call-count 6F21 CY10x2\n"
      "ef-imsi-m 6F22 TR10 S04\n"
      "ef-imsi-t 6F23 TR10 S05\n"
      "ef-tmsi 6F24 TR16 S06\n"
      "ef-ah 6F25 TR2\n"
      "ef-aop 6F26 TR1\n"
      "ef-aloc 6F27 TR7\n"
      "ef-cdmahome 6F28 LF?x? S0C\n"
      "ef-znregi 6F29 LF?x?\n"
      "ef-snregi 6F2A TR7 S0D\n"
      "ef-distregi 6F2B TR8\n"
      "ef-accolc 6F2C TR1 S03\n"
      "ef-term 6F2D TR1\n"
      "ef-acp 6F2F TR7\n"
      "ef-prl 6F30 TR? S07\n"
      "ef-ruimid 6F31 TR?\n"
      "ef-csim-st 6F32 TR? S02\n"
      "ef-spc 6F33 TR3\n"
      "ef-otapaspc 6F34 TR1\n"
      "ef-namlock 6F35 TR1\n"
      "ef-ota 6F36 TR17\n"
      "ef-sp 6F37 TR1\n"
      "ef-esn-meid-me 6F38 TR8\n"
      "ef-li 6F3A TR? S0A\n"
      "ef-usgind 6F42 TR1\n"
      "ef-ad 6F43 TR3 S01\n"
      "ef-max-prl 6F45 TR4\n"
      "ef-spcs 6F46 TR1\n"
      "ef-mecrp 6F55 TR3\n"
      "ef-home-tag 6F70 TR?\n"
      "ef-group-tag 6F71 TR?\n"
      "ef-specific-tag 6F72 TR?\n"
      "ef-call-prompt 6F73 TR?\n" },
    { TEMPLATE_OPT_CSIM, 1,
      "ef-ssci 6F2E TR1\n"
      "ef-fdn 6F3B LF?x?\n"
      "ef-sms 6F3C LF?x?\n"
      "ef-smsp 6F3D LF?x?\n"
      "ef-smss 6F3E TR?\n"
      "ef-ssfc 6F3F TR?\n"
      "ef-spn 6F41 TR35 S08\n"
      "ef-mdn 6F44 LF?x?\n"
      "ef-ecc 6F47 TR? S09\n"
      "ef-me3gpdopc 6F48 TR1\n"
      "ef-3gpdopm 6F49 TR1\n"
      "ef-sipcap 6F4A TR4\n"
      "ef-mipcap 6F4B TR5\n"
      "ef-sipupp 6F4C TR?\n"
      "ef-mipupp 6F4D TR?\n"
      "ef-sipsp 6F4E TR1\n"
      "ef-mipsp 6F4F TR?\n"
      "ef-sippapss 6F50 TR?\n"
      "ef-hrpdcap 6F56 TR3\n"
      "ef-hrpdupp 6F57 TR?\n"
      "ef-csspr 6F58 TR1\n"
      "ef-atc 6F59 TR1\n"
      "ef-eprl 6F5A TR? S0E\n"
      "ef-bcsmsp 6F5E LF?x?\n"
      "ef-mmsn 6F65 LF?x?\n"
      "ef-ext8 6F66 LF?x?\n"
      "ef-mmsicp 6F67 TR?\n"
      "ef-mmsup 6F68 LF?x?\n"
      "ef-mmsucp 6F69 TR?\n"
      "ef-3gcik 6F6B TR32 S0B\n"
      "ef-gid1 6F6D TR?\n"
      "ef-gid2 6F6E TR?\n"
      "ef-sf-euimid 6F74 TR7\n"
      "ef-est 6F75 TR? S0F\n"
      "ef-hidden-key 6F76 TR?\n"
      "ef-sdn 6F79 LF?x?\n"
      "ef-ext2 6F7A LF?x?\n"
      "ef-ext3 6F7B LF?x?\n"
      "ef-ici 6F7C CY?x? S10\n"
      "ef-oci 6F7D CY?x? S11\n"
      "ef-ext5 6F7E LF?x?\n"
      "ef-ccp2 6F7F LF?x? S12\n"
      "ef-model 6F81 TR126\n" },
    { TEMPLATE_EAP, 1,
      "df-eap tmp DF A14 -\n"
      "ef-eapkeys 4F01 TR? A2 REQ h\n"
      "ef-eapstatus 4F02 TR1 A2 00 h\n"
      "ef-puid 4F03 TR? A2 REQ\n"
      "ef-ps 4F04 TR? A5 FF..FF h\n"
      "ef-curid 4F20 TR? A5 FF..FF h\n"
      "ef-reid 4F21 TR? A5 REQ\n"
      "ef-realm 4F22 TR? A5 REQ\n" },
    { TEMPLATE_DF_5GS, 1,
      "df-df-5gs 5FC0 DF A14 -\n"
      "ef-5gs3gpploci 4F01 TR20 A5 S01 FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000001 h\n"
      "ef-5gsn3gpploci 4F02 TR20 A5 S02 FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000001 h\n"
      "ef-5gs3gppnsc 4F03 LF1x57 A5 S03 FF..FF h\n"
      "ef-5gsn3gppnsc 4F04 LF1x57 A5 S04 FF..FF h\n"
      "ef-5gauthkeys 4F05 TR110 A5 S05 REQ h\n"
      "ef-uac-aic 4F06 TR4 A2 S06 REQ\n"
      "ef-suci-calc-info 4F07 TR? A2 S07 FF..FF\n"
      "ef-opl5g 4F08 LF?x10 A10 S08 FF..FF\n"
      "ef-supinai 4F09 TR? A2 S09 REQ\n"
      "ef-routing-indicator 4F0A TR4 A2 S0A F0FFFFFF\n" },
    { TEMPLATE_DF_5GS, 2,
      "ef-ursp 4F0B BT? A2 -\n"
      "ef-tn3gppsnn 4F0C TR1 A2 S0C 00\n" },
    { TEMPLATE_DF_5GS, 3,
      "ef-5gs3gppnsc 4F03 LF2x62 A5 S03 FF..FF h\n"
      "ef-5gsn3gppnsc 4F04 LF2x62 A5 S04 FF..FF h\n" },
    { TEMPLATE_DF_5GS, 4,
      "ef-routing-indicator 4F0A TR4 A2 S0A F0FF0000\n"
      "ef-cag 4F0D TR2 A2 S0D REQ\n"
      "ef-sor-cmci 4F0E TR? A2 S0E REQ\n"
      "ef-dri 4F0F TR7 A2 S0F REQ\n"
      "ef-5gsedrx 4F10 TR2 A2 S10 REQ\n"
      "ef-5gnswo-conf 4F11 TR1 A2 S11 REQ\n"
      "ef-mchpplmn 4F15 TR1 A2 S15 REQ\n"
      "ef-kausf-derivation 4F16 TR1 A2 S16 REQ\n" },
    { TEMPLATE_DF_SAIP, 1,
      "df-df-saip 5FD0 DF A14 -\n"
      "ef-suci-calc-info-usim 4F01 TR? A3 FF..FF\n" },
    { TEMPLATE_DF_SNPN, 1,
      "df-df-snpn 5FE0 DF A14 -\n"
      "ef-pws-snpn 4F01 TR1 A10 REQ\n" },
    { TEMPLATE_DF_5GPROSE, 1,
      "df-df-5g-prose 5FF0 DF A14 -\n"
      "ef-5g-prose-st 4F01 TR1 A2 S01 REQ\n"
      "ef-5g-prose-dd 4F02 TR26 A2 S02 REQ\n"
      "ef-5g-prose-dc 4F03 TR12 A2 S03 REQ\n"
      "ef-5g-prose-u2nru 4F04 TR32 A2 S04 REQ\n"
      "ef-5g-prose-ru 4F05 TR29 A2 S05 REQ\n"
      "ef-5g-prose-uir 4F06 TR32 A2 S06 REQ\n" },
};
/* clang-format on */

static const struct template *find(int number, int version)
{
    uint8_t oid[] = { 0x67, 0x81, 0x0F, 0x01, 0x02, (uint8_t)number, (uint8_t)version };

    return template_find(rd_of(oid, sizeof oid - (version == 1)));
}

static const struct template_file *row_of(const struct template *t, const char *name)
{
    size_t cursor = 0;

    return template_file(t, name, &cursor);
}

/* --- reading the facts ------------------------------------------------------------------------ */

struct fact {
    char name[40], fid[8], kind[16];
    int arr, sfi, size, records, record_len;
    bool required, high;
    char contents[128];
};

static int number_or_0(const char *text)
{
    return *text == '?' ? 0 : atoi(text);
}

static void read_kind(struct fact *f)
{
    const char *x = strchr(f->kind, 'x');

    if (strncmp(f->kind, "TR", 2) == 0)
        f->size = number_or_0(f->kind + 2);
    if (strncmp(f->kind, "LF", 2) == 0 || strncmp(f->kind, "CY", 2) == 0) {
        f->records = number_or_0(f->kind + 2);
        f->record_len = number_or_0(x + 1);
    }
}

static struct fact read_fact(const char *line, size_t n)
{
    struct fact f = { 0 };
    char text[200], *save, *word;

    ck_assert_uint_lt(n, sizeof text);
    memcpy(text, line, n);
    text[n] = '\0';
    snprintf(f.name, sizeof f.name, "%s", strtok_r(text, " ", &save));
    snprintf(f.fid, sizeof f.fid, "%s", strtok_r(NULL, " ", &save));
    snprintf(f.kind, sizeof f.kind, "%s", strtok_r(NULL, " ", &save));
    read_kind(&f);
    while ((word = strtok_r(NULL, " ", &save)) != NULL) {
        if (word[0] == 'A' && strlen(word) < 4 && strcmp(word, "AA") != 0)
            f.arr = atoi(word + 1);
        else if (word[0] == 'S')
            f.sfi = (int)strtol(word + 1, NULL, 16);
        else if (strcmp(word, "REQ") == 0)
            f.required = true;
        else if (strcmp(word, "h") == 0)
            f.high = true;
        else if (strcmp(word, "-") != 0)
            snprintf(f.contents, sizeof f.contents, "%s", word);
    }
    return f;
}

static int kind_of(const struct fact *f)
{
    static const struct {
        const char *begin;
        int kind;
    } kinds[] = {
        { "MF", FS_KIND_MF },          { "DF", FS_KIND_DF },     { "ADF", FS_KIND_ADF },
        { "TR", FS_KIND_TRANSPARENT }, { "LF", FS_KIND_LINEAR }, { "CY", FS_KIND_CYCLIC },
        { "BT", FS_KIND_BER_TLV },
    };

    for (size_t i = 0; i < N_ELEMS(kinds); i++)
        if (strncmp(f->kind, kinds[i].begin, strlen(kinds[i].begin)) == 0)
            return kinds[i].kind;
    ck_abort_msg("%s has no kind", f->name);
}

/* What the facts say that an EF or a record of n octets holds. */
static void expand(const char *contents, uint8_t *p, size_t n)
{
    const char *dots = strstr(contents, "..");
    uint8_t head[64], tail[64];
    char text[128];

    memset(p, 0xFF, n);
    snprintf(text, sizeof text, "%.*s",
             dots != NULL ? (int)(dots - contents) : (int)strcspn(contents, "*"), contents);
    size_t n_head = hex(text, head, sizeof head);
    size_t n_tail = dots != NULL ? hex(dots + 2, tail, sizeof tail) : 0;
    bool repeats = strchr(contents, '*') != NULL;
    for (size_t i = 0; i < n; i++) {
        if (i < n_head || repeats)
            p[i] = head[i % n_head];
        else if (dots != NULL)
            p[i] = head[n_head - 1];
    }
    for (size_t i = 0; i < n_tail; i++)
        p[n - n_tail + i] = tail[i];
}

static void check_contents(const struct fact *f, const struct template_file *row)
{
    uint8_t is[256], should[256];
    size_t n = f->size > 0 ? (size_t)f->size : f->record_len > 0 ? (size_t)f->record_len : 40;

    if (f->required || row->kind <= FS_KIND_ADF)
        return;
    template_contents(row->contents, 1, is, n);
    expand(f->contents, should, n);
    ck_assert_msg(memcmp(is, should, n) == 0, "contents of %s", f->name);
}

static void check_row(const struct fact *f, const struct template_file *row)
{
    ck_assert_msg(row != NULL, "%s is missing", f->name);
    unsigned fid = strcmp(f->fid, "tmp") == 0 ? 0 : (unsigned)strtoul(f->fid, NULL, 16);
    ck_assert_msg(row->fid == fid, "FID of %s: %04X", f->name, row->fid);
    ck_assert_msg(row->kind == kind_of(f), "kind of %s", f->name);
    ck_assert_msg(row->size == f->size, "size of %s", f->name);
    ck_assert_msg(row->records == f->records, "records of %s", f->name);
    ck_assert_msg(row->record_len == f->record_len, "record length of %s", f->name);
    ck_assert_msg(row->arr == f->arr, "ARR of %s", f->name);
    ck_assert_msg(row->sfi == f->sfi, "SFI of %s", f->name);
    ck_assert_msg(((row->flags & FILE_HIGH_UPDATE) != 0) == f->high, "activity of %s", f->name);
    bool csim = f->arr == 0;
    ck_assert_msg(csim || ((row->flags & FILE_REQUIRED) != 0) == f->required, "REQ of %s", f->name);
    check_contents(f, row);
}

/* Checks a template of this version against one text of the facts; returns how many rows. */
static size_t check_rows(const struct template *t, const char *rows)
{
    size_t n = 0;

    for (const char *end; (end = strchr(rows, '\n')) != NULL; rows = end + 1, n++) {
        struct fact f = read_fact(rows, (size_t)(end - rows));
        check_row(&f, row_of(t, f.name));
    }
    return n;
}

START_TEST(every_row_is_as_the_standard_has_it)
{
    size_t rows = 0;

    for (size_t i = 0; i < N_ELEMS(facts); i++) {
        const struct template *t = find(facts[i].number, facts[i].version);
        ck_assert_msg(t != NULL, "template %d version %d", facts[i].number, facts[i].version);
        rows += check_rows(t, facts[i].rows);
    }
    ck_assert_uint_eq(rows, 329);
}
END_TEST

START_TEST(a_later_version_has_the_rows_of_the_earlier_ones)
{
    const struct template *usim = find(TEMPLATE_USIM, 2), *df_5gs = find(TEMPLATE_DF_5GS, 4);

    ck_assert_uint_eq(row_of(usim, "ef-imsi")->fid, 0x6F07);
    ck_assert_uint_eq(row_of(usim, "ef-ust")->size, 17);
    ck_assert_uint_eq(row_of(find(TEMPLATE_USIM, 1), "ef-ust")->size, 14);
    ck_assert_uint_eq(row_of(df_5gs, "ef-5gs3gppnsc")->record_len, 62);
    ck_assert_uint_eq(row_of(find(TEMPLATE_DF_5GS, 2), "ef-5gs3gppnsc")->record_len, 57);
    ck_assert_str_eq(row_of(find(TEMPLATE_DF_5GS, 3), "ef-routing-indicator")->contents,
                     "F0FFFFFF");
    /* And an earlier one takes a file that came later. */
    ck_assert_uint_eq(row_of(find(TEMPLATE_OPT_USIM, 1), "ef-eaka")->fid, 0x6F01);
}
END_TEST

/* --- rows and types --------------------------------------------------------------------------- */

static const struct {
    int number, version;
    const asn_TYPE_descriptor_t *type;
} types[] = {
    { TEMPLATE_MF, 1, &asn_DEF_PE_MF },
    { TEMPLATE_CD, 1, &asn_DEF_PE_CD },
    { TEMPLATE_TELECOM, 2, &asn_DEF_PE_TELECOM },
    { TEMPLATE_USIM, 2, &asn_DEF_PE_USIM },
    { TEMPLATE_OPT_USIM, 3, &asn_DEF_PE_OPT_USIM },
    { TEMPLATE_PHONEBOOK, 1, &asn_DEF_PE_PHONEBOOK },
    { TEMPLATE_GSM_ACCESS, 1, &asn_DEF_PE_GSM_ACCESS },
    { TEMPLATE_ISIM, 1, &asn_DEF_PE_ISIM },
    { TEMPLATE_OPT_ISIM, 2, &asn_DEF_PE_OPT_ISIM },
    { TEMPLATE_CSIM, 2, &asn_DEF_PE_CSIM },
    { TEMPLATE_EAP, 1, &asn_DEF_PE_EAP },
    { TEMPLATE_DF_5GS, 4, &asn_DEF_PE_DF_5GS },
    { TEMPLATE_DF_SAIP, 1, &asn_DEF_PE_DF_SAIP },
    { TEMPLATE_DF_SNPN, 1, &asn_DEF_PE_DF_SNPN },
    { TEMPLATE_DF_5GPROSE, 1, &asn_DEF_PE_DF_5GPROSE },
    { TEMPLATE_IOT, 1, &asn_DEF_PE_IoT },
    { TEMPLATE_OPT_IOT, 1, &asn_DEF_PE_OPT_IoT },
};

START_TEST(every_component_has_its_row_in_the_same_order)
{
    for (size_t i = 0; i < N_ELEMS(types); i++) {
        const struct template *t = find(types[i].number, types[i].version);
        size_t cursor = 0;
        for (int k = 2; k < types[i].type->elements_count; k++) {
            const char *name = types[i].type->elements[k].name;
            size_t before = cursor;
            ck_assert_msg(template_file(t, name, &cursor) != NULL, "%s", name);
            ck_assert_uint_gt(cursor, before);
        }
        ck_assert_uint_eq(cursor, t->n);
    }
}
END_TEST

START_TEST(the_optional_csim_has_rows_in_order_for_what_is_known)
{
    const struct template *t = find(TEMPLATE_OPT_CSIM, 1);
    size_t cursor = 0, known = 0;

    for (int k = 2; k < asn_DEF_PE_OPT_CSIM.elements_count; k++)
        known += template_file(t, asn_DEF_PE_OPT_CSIM.elements[k].name, &cursor) != NULL;
    ck_assert_uint_eq(known, t->n);
    ck_assert_uint_eq(cursor, t->n);
}
END_TEST

START_TEST(levels_follow_each_other_and_dfs_open_them)
{
    for (int number = 1; number <= TEMPLATE_OPT_IOT; number++) {
        const struct template *t = find(number, 1);
        int open = t->base == BASE_NONE || t->files[0].kind <= FS_KIND_ADF ? 0 : 1;
        ck_assert_int_eq(t->files[0].level, open);
        for (size_t i = 0; i < t->n; i++) {
            ck_assert_int_le(t->files[i].level, open);
            if (t->files[i].kind <= FS_KIND_ADF)
                open = t->files[i].level + 1;
        }
    }
}
END_TEST

START_TEST(unknown_templates_are_not_found)
{
    static const char *const oids[] = {
        "",
        "67810F0102",
        "67810F010200",
        "67810F010213",
        "67810F01020101",
        "67810F01020102",
        "67810F01020503",
        "67810F01020504",
        "67810F01030101",
        "67810F0102040201",
    };
    static const bool known[] = { false, false, false, false, false,
                                  false, true,  false, false, false };

    for (size_t i = 0; i < N_ELEMS(oids); i++) {
        struct rd oid = exact_copy(oids[i]);
        ck_assert_msg((template_find(oid) != NULL) == known[i], "%s", oids[i]);
        exact_free(&oid);
    }
}
END_TEST

/* --- contents --------------------------------------------------------------------------------- */

static void check_is(const char *contents, unsigned record, const char *expected)
{
    uint8_t is[64], should[64];
    size_t n = hex(expected, should, sizeof should);

    template_contents(contents, record, is, n);
    ck_assert_mem_eq(is, should, n);
}

START_TEST(contents_fill_any_size)
{
    check_is(NULL, 1, "FFFF");
    check_is("00FF..", 1, "00FFFFFF");
    check_is("00FF..", 1, "00");
    check_is("00..", 1, "000000");
    check_is("FF..07", 1, "FFFFFF07");
    check_is("FF..07", 1, "FF07");
    check_is("FF..0000000001FFFF", 1, "FF0000000001FFFF");
    check_is("0A", 1, "0AFFFF");
    check_is("00000002", 1, "0000");
    check_is("FFFFFF0000*", 1, "FFFFFF0000FFFFFF0000FFFF");
}
END_TEST

START_TEST(rules_are_those_of_tca_9_9)
{
    check_is("ARR", 3, "80015BA40683010A950108FFFF");
    check_is("ARR", 7, "800103A406830101950108800158A40683010A950108840132A406830101950108");
    check_is("ARR", 11, "8001019000800118A40683010A9501088001429700FF");
    check_is("ARR", 14, "80015EA40683010A950108");
    check_is("ARR", 15, "FFFF");
    ck_assert_ptr_null(template_arr(0));
    ck_assert_ptr_null(template_arr(15));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("templates");
    TCase *rows = tcase_create("rows"), *contents = tcase_create("contents");

    suite_add_tcase(suite, rows);
    tcase_add_test(rows, every_row_is_as_the_standard_has_it);
    tcase_add_test(rows, a_later_version_has_the_rows_of_the_earlier_ones);
    tcase_add_test(rows, every_component_has_its_row_in_the_same_order);
    tcase_add_test(rows, the_optional_csim_has_rows_in_order_for_what_is_known);
    tcase_add_test(rows, levels_follow_each_other_and_dfs_open_them);
    tcase_add_test(rows, unknown_templates_are_not_found);
    suite_add_tcase(suite, contents);
    tcase_add_test(contents, contents_fill_any_size);
    tcase_add_test(contents, rules_are_those_of_tca_9_9);

    return suite_status(suite);
}
