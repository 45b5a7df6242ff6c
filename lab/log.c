/* log.c - the servers' logs. */
#include "lab/log.h"

void log_line(FILE *log, const cJSON *line)
{
    char *text = cJSON_PrintUnformatted(line);

    if (text != NULL) {
        fprintf(log, "%s\n", text);
        fflush(log);
    }
    cJSON_free(text);
}
