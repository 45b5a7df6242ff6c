/* log.h - the servers' logs: a JSON object a line. */
#ifndef LAB_LOG_H
#define LAB_LOG_H

#include <stdio.h>

#include <cjson/cJSON.h>

/* Writes it at once. */
void log_line(FILE *log, const cJSON *line);

#endif
