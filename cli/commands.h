/* commands.h - the subcommands, one file each. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/options.h"

extern const struct command new_command;
extern const struct command run_command;
extern const struct command apdu_command;
extern const struct command show_command;
extern const struct command pki_command;
extern const struct command doctor_command;

#endif
