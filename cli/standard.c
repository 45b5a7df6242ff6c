/* standard.c - standard input, output and error of both programs. */
#include "cli/standard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool standard_descriptors_keep(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 &&
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
            return false;
    return true;
}

int standard_output_end(const char *program, int status)
{
    bool lost = ferror(stdout) != 0;

    errno = 0;
    lost |= fflush(stdout) != 0;
    if (!lost || status != 0)
        return status;
    fprintf(stderr, "%s: standard output: %s\n", program,
            errno != 0 ? strerror(errno) : "not all of it could be written");
    return 1;
}
