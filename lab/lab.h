/* lab.h - the subcommands of softeuicc-lab: each takes its own arguments (argv[0] is its name)
 * and returns the exit status. */
#ifndef LAB_LAB_H
#define LAB_LAB_H

enum {
    STATUS_DONE = 0,
    STATUS_FAILED = 1,
    STATUS_USAGE = 2,
};

int smdpp_main(int argc, char **argv);
int smds_main(int argc, char **argv);
int ipa_main(int argc, char **argv);
int terminal_main(int argc, char **argv);
int eim_main(int argc, char **argv);
int fleet_main(int argc, char **argv);
int play_main(int argc, char **argv);
int demo_main(int argc, char **argv);

#endif
