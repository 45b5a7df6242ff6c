/* child.c - a running softeuicc apdu CARD. */
#include "tests/bench/child.h"

#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/report.h"

extern char **environ;

void child_start(struct child *c, const char *program, const char *card)
{
    char name[4096], file[4096];
    char *const argv[] = { name, (char[]){ "apdu" }, file, NULL };
    posix_spawn_file_actions_t actions;
    int in[2], out[2];

    snprintf(name, sizeof name, "%s", program);
    snprintf(file, sizeof file, "%s", card);
    insist(pipe(in) == 0 && pipe(out) == 0, "pipes");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    const int ours[] = { in[0], in[1], out[0], out[1] };
    for (size_t i = 0; i < 4; i++)
        posix_spawn_file_actions_addclose(&actions, ours[i]);
    insist(posix_spawn(&c->pid, program, &actions, NULL, argv, environ) == 0, program);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    c->to = in[1];
    c->from = fdopen(out[0], "r");
    insist(c->from != NULL, "a stream");
}

void child_ask(struct child *c, const char *line, char *ret, size_t size)
{
    ssize_t n = (ssize_t)strlen(line);

    insist(write(c->to, line, (size_t)n) == n && fgets(ret, (int)size, c->from) != NULL,
           "softeuicc apdu answers");
}

void child_end(struct child *c)
{
    int status;

    close(c->to);
    fclose(c->from);
    insist(waitpid(c->pid, &status, 0) == c->pid && WIFEXITED(status) && WEXITSTATUS(status) == 0,
           "softeuicc apdu ends well");
}

long rss_anon_kb(pid_t pid)
{
    char path[64], line[256];
    long kb = -1;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "r");
    insist(f != NULL, path);
    while (kb < 0 && fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "RssAnon: %ld", &kb) != 1)
            kb = -1;
    fclose(f);
    insist(kb >= 0, "the process has RssAnon");
    return kb;
}
