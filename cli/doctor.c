/* doctor.c - softeuicc doctor: why a card is not seen, in plain words, and what to do.
 *
 * Each check prints what it found and, where that is trouble, the remedy.  The reader's ports are
 * looked up in the kernel's tables and never connected to: a connection would be a card. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/pcsc.h"

#define PCSCD_SOCKET    "/run/pcscd/pcscd.comm"
#define READER_CONF_DIR "/etc/reader.conf.d"
#define SOCKET_VARIABLE "PCSCLITE_CSOCK_NAME"
#define DRIVER_NAME     "libifdvpcd"
#define READER_NAME     "Virtual PCD"

enum {
    DEFAULT_PORT = 35963,
    SLOTS = 2, /* of Debian's build */
    ROUNDS = 200,
    SLOW_US = 5000,
    PATIENCE_S = 10, /* for one answer, by alarm() */
};

struct findings {
    size_t troubles;
    const char *socket; /* of pcscd */
    bool own_pcscd;     /* PCSCLITE_CSOCK_NAME names it */
    bool reversed;      /* the reader connects to the card */
    char device[128];   /* DEVICENAME of the reader */
    unsigned port;
};

__attribute__((format(printf, 2, 0))) static void line(const char *mark, const char *fmt,
                                                       va_list ap)
{
    printf("%-8s", mark);
    vprintf(fmt, ap);
    putchar('\n');
    fflush(stdout); /* the next check may hang */
}

__attribute__((format(printf, 1, 2))) static void good(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    line("ok", fmt, ap);
    va_end(ap);
}

__attribute__((format(printf, 1, 2))) static void note(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    line("note", fmt, ap);
    va_end(ap);
}

__attribute__((format(printf, 2, 3))) static void trouble(struct findings *f, const char *fmt, ...)
{
    va_list ap;

    f->troubles++;
    va_start(ap, fmt);
    line("TROUBLE", fmt, ap);
    va_end(ap);
}

__attribute__((format(printf, 1, 2))) static void remedy(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    line("   do", fmt, ap);
    va_end(ap);
}

/* ---- the driver and its settings ---- */

/* The value of a line KEY VALUE or KEY "VALUE" of a reader's settings. */
static bool setting(const char *text, const char *key, char *ret, size_t size)
{
    size_t n = strlen(key);

    text += strspn(text, " \t");
    if (strncmp(text, key, n) != 0 || strchr(" \t", text[n]) == NULL)
        return false;
    text += n + strspn(text + n, " \t\"");
    snprintf(ret, size, "%.*s", (int)strcspn(text, "\"\r\n"), text);
    return true;
}

/* Reads one file of settings; true when it sets up a reader of vpcd. */
static bool read_settings(struct findings *f, const char *path, char *ret_driver, size_t size)
{
    FILE *from = fopen(path, "re");
    char text[256], device[sizeof f->device] = "", driver[256] = "";

    if (from == NULL)
        return false;
    while (fgets(text, sizeof text, from) != NULL) {
        setting(text, "DEVICENAME", device, sizeof device);
        setting(text, "LIBPATH", driver, sizeof driver);
    }
    fclose(from);
    if (strstr(driver, DRIVER_NAME) == NULL)
        return false;
    memcpy(f->device, device, sizeof device);
    snprintf(ret_driver, size, "%s", driver);
    return true;
}

/* DEVICENAME is /dev/null:PORT, or HOST:PORT for a reader that connects to the card. */
static void understand_device(struct findings *f)
{
    const char *colon = strrchr(f->device, ':');

    f->reversed = strncmp(f->device, "/dev/null", strlen("/dev/null")) != 0;
    f->port = colon == NULL ? DEFAULT_PORT : (unsigned)strtoul(colon + 1, NULL, 0);
}

static bool find_settings(struct findings *f, const char *dir, char *ret_path, char *ret_driver)
{
    DIR *d = opendir(dir);
    bool found = false;

    if (d == NULL)
        return false;
    for (const struct dirent *e; !found && (e = readdir(d)) != NULL;) {
        if (snprintf(ret_path, PATH_MAX, "%s/%s", dir, e->d_name) < PATH_MAX)
            found = read_settings(f, ret_path, ret_driver, PATH_MAX);
    }
    closedir(d);
    return found;
}

/* A pcscd of one's own (tools/private-pcscd) has its settings beside its socket. */
static void settings_dir(const struct findings *f, char ret[PATH_MAX])
{
    const char *slash = strrchr(f->socket, '/');

    if (f->own_pcscd && slash != NULL)
        snprintf(ret, PATH_MAX, "%.*s/reader.conf.d", (int)(slash - f->socket), f->socket);
    else
        snprintf(ret, PATH_MAX, "%s", READER_CONF_DIR);
}

static void check_driver(struct findings *f)
{
    char dir[PATH_MAX], path[PATH_MAX] = "", driver[PATH_MAX] = "";

    settings_dir(f, dir);
    f->port = DEFAULT_PORT;
    if (!find_settings(f, dir, path, driver)) {
        if (f->own_pcscd) {
            note("the settings of this pcscd are not in %s; assuming port %u", dir, f->port);
            return;
        }
        trouble(f, "pcscd has no virtual reader: no file in %s names the driver vpcd", dir);
        remedy("install it: sudo apt-get install vsmartcard-vpcd, then restart pcscd");
        return;
    }
    understand_device(f);
    if (access(driver, R_OK) != 0) {
        trouble(f, "%s names the driver %s, which is not there", path, driver);
        remedy("install it: sudo apt-get install vsmartcard-vpcd");
        return;
    }
    good("the virtual reader is installed: %s, %s", path, f->device);
}

/* ---- pcscd ---- */

static int connect_to(const char *path)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return errno;
    snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    int r = connect(fd, (const struct sockaddr *)&at, sizeof at) == 0 ? 0 : errno;
    close(fd);
    return r;
}

static void advise_to_start_pcscd(const struct findings *f)
{
    if (f->own_pcscd)
        remedy("%s is set: start that pcscd, or unset the variable", SOCKET_VARIABLE);
    else if (access("/run/systemd/system", F_OK) == 0)
        remedy("start it: sudo systemctl start pcscd.socket");
    else
        remedy("start it, as root: pcscd");
}

/* True when somebody takes connections at pcscd's socket. */
static bool check_socket(struct findings *f)
{
    if (f->own_pcscd)
        note("%s is set: talking to the pcscd at %s", SOCKET_VARIABLE, f->socket);
    switch (connect_to(f->socket)) {
    case 0:
        good("pcscd takes connections at %s", f->socket);
        return true;
    case ENOENT:
        trouble(f, "pcscd does not run: there is no %s", f->socket);
        break;
    case ECONNREFUSED:
        trouble(f, "pcscd has died: nobody answers at %s", f->socket);
        break;
    case EACCES:
        trouble(f, "user %ld may not open %s", (long)geteuid(), f->socket);
        remedy("let the user in: sudo chmod 666 %s, or run as root", f->socket);
        return false;
    default:
        trouble(f, "pcscd cannot be reached at %s: %s", f->socket, strerror(errno));
        break;
    }
    advise_to_start_pcscd(f);
    return false;
}

static bool check_pcscd(struct findings *f, struct pcsc *pcsc)
{
    if (!check_socket(f))
        return false;
    if (!pcsc_load(pcsc)) {
        trouble(f, "libpcsclite.so.1 is not installed: no program can ask pcscd anything");
        remedy("install it: sudo apt-get install libpcsclite1");
        return false;
    }
    alarm(PATIENCE_S);
    uint32_t r = pcsc_establish(pcsc);
    if (r == PCSC_OK) {
        good("pcscd answers");
        return true;
    }
    trouble(f, "pcscd does not serve us: %s", pcsc_error(pcsc, r));
    if (r == PCSC_SECURITY_VIOLATION)
        remedy("polkit refuses user %ld: allow org.debian.pcsc-lite.access_pcsc and .access_card "
               "in a rule, or run as root",
               (long)geteuid());
    else
        remedy("restart it and look into its log: pcscd --foreground --debug");
    return false;
}

/* ---- the reader's ports ---- */

struct port_use {
    bool listening, everywhere, attached;
};

/* Adds what one of the kernel's tables says about a local port. */
static void read_tcp_table(const char *path, unsigned port, struct port_use *use)
{
    enum { ESTABLISHED = 1, LISTEN = 10 };
    FILE *from = fopen(path, "re");
    char text[512], address[40];
    unsigned local, state;

    if (from == NULL)
        return;
    while (fgets(text, sizeof text, from) != NULL) {
        if (sscanf(text, " %*u: %39[0-9A-F]:%x %*[0-9A-F]:%*x %x", address, &local, &state) != 3 ||
            local != port)
            continue;
        use->attached |= state == ESTABLISHED;
        use->listening |= state == LISTEN;
        use->everywhere |= state == LISTEN && strspn(address, "0") == strlen(address);
    }
    fclose(from);
}

static struct port_use port_use(unsigned port)
{
    struct port_use use = { 0 };

    read_tcp_table("/proc/net/tcp", port, &use);
    read_tcp_table("/proc/net/tcp6", port, &use);
    return use;
}

static void check_ports(struct findings *f)
{
    bool everywhere = false;

    if (f->reversed) {
        note("the reader connects to the card: softeuicc run CARD --listen %s", f->device);
        return;
    }
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        unsigned port = f->port + slot;
        struct port_use use = port_use(port);
        everywhere |= use.everywhere;
        if (use.attached)
            good("slot %u, port %u: a card is in it", slot, port);
        else if (use.listening)
            note("slot %u, port %u: empty; softeuicc run CARD --reader 127.0.0.1:%u puts a card in",
                 slot, port, port);
        else
            trouble(f, "slot %u, port %u: nobody listens, pcscd has not loaded the reader", slot,
                    port);
        if (!use.listening && !use.attached)
            remedy("restart pcscd; if it stays so, see who has the port: ss -ltnp");
    }
    if (everywhere)
        note("the reader takes cards from any host and asks for no password: keep ports %u to %u "
             "behind a firewall",
             f->port, f->port + SLOTS - 1);
}

/* ---- the card ---- */

static double microseconds(const struct timespec *from, const struct timespec *to)
{
    return (double)(to->tv_sec - from->tv_sec) * 1e6 + (double)(to->tv_nsec - from->tv_nsec) / 1e3;
}

static int by_value(const void *a, const void *b)
{
    double x, y;

    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

/* The median time of a command that changes nothing, in microseconds; negative: it failed. */
static double median_time(struct pcsc *pcsc)
{
    static const uint8_t get_data[] = { 0x80, 0xCA, 0x00, 0x00, 0x00 };
    double times[ROUNDS];
    uint8_t response[258];
    size_t n;

    for (size_t i = 0; i < ROUNDS; i++) {
        struct timespec before, after;
        alarm(PATIENCE_S);
        clock_gettime(CLOCK_MONOTONIC, &before);
        if (pcsc_transmit(pcsc, get_data, sizeof get_data, response, sizeof response, &n) !=
            PCSC_OK)
            return -1;
        clock_gettime(CLOCK_MONOTONIC, &after);
        times[i] = microseconds(&before, &after);
    }
    qsort(times, ROUNDS, sizeof times[0], by_value);
    return times[ROUNDS / 2];
}

static void check_speed(struct findings *f, struct pcsc *pcsc, const char *reader)
{
    double us = median_time(pcsc);

    if (us < 0) {
        trouble(f, "the card in '%s' does not answer commands", reader);
        remedy("run it with --trace - to see why");
    } else if (us <= SLOW_US) {
        good("an APDU takes %.2f ms (median of %d)", us / 1000, ROUNDS);
    } else {
        trouble(f, "an APDU takes %.1f ms (median of %d)", us / 1000, ROUNDS);
        remedy("about 40 ms is the delayed acknowledgement of TCP: the driver sends an APDU in two "
               "parts, and the second waits; the card's side, or a proxy in between, must set "
               "TCP_QUICKACK before each receive, as softeuicc run does");
    }
}

static void check_card(struct findings *f, struct pcsc *pcsc)
{
    char readers[PCSC_READERS_MAX] = "";
    uint32_t r = pcsc_list_readers(pcsc, readers);
    bool any = false;

    for (const char *name = readers; r == PCSC_OK && *name != '\0'; name += strlen(name) + 1) {
        if (strstr(name, READER_NAME) == NULL)
            continue;
        any = true;
        alarm(PATIENCE_S);
        uint32_t c = pcsc_connect(pcsc, name);
        if (c == PCSC_SHARING_VIOLATION)
            note("'%s': another program has the card for itself", name);
        if (c != PCSC_OK)
            continue;
        good("'%s': the card answers to reset", name);
        if (pcsc_begin(pcsc) == PCSC_OK)
            check_speed(f, pcsc, name);
        return;
    }
    if (!any) {
        trouble(f, "pcscd lists no reader '%s'", READER_NAME);
        remedy("restart pcscd, it reads its settings at the start");
    } else {
        note("no card is in a virtual reader; softeuicc run CARD puts one in");
    }
}

/* On SIGALRM.  pcscd waits for its card as long as that takes, and a client for pcscd. */
static void give_up(int number)
{
    static const char words[] =
        "TROUBLE no answer for 10 s: pcscd, or the program that serves the card, hangs\n"
        "   do   end softeuicc run and start it again; if that does not help, restart pcscd\n";

    (void)number;
    (void)!write(STDOUT_FILENO, words, sizeof words - 1);
    _exit(EXIT_FAILED);
}

static int run(const struct arguments *args)
{
    const char *own = getenv(SOCKET_VARIABLE);
    struct findings f = { .socket = own != NULL ? own : PCSCD_SOCKET, .own_pcscd = own != NULL };
    struct pcsc pcsc = { 0 };

    (void)args;
    signal(SIGALRM, give_up);
    check_driver(&f);
    if (check_pcscd(&f, &pcsc)) {
        check_ports(&f);
        check_card(&f, &pcsc);
    }
    alarm(0);
    pcsc_done(&pcsc);
    if (f.troubles == 0)
        printf("All is well.\n");
    else
        printf("%zu trouble%s.\n", f.troubles, f.troubles == 1 ? "" : "s");
    return f.troubles == 0 ? EXIT_DONE : EXIT_FAILED;
}

static const struct option options_of_doctor[] = {
    { NULL, NULL, NULL, false },
};

const struct command doctor_command = {
    .name = "doctor",
    .meaning = "tell why pcscd does not see a card, and what to do",
    .options = options_of_doctor,
    .run = run,
};
