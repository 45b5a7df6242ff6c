/* terminal_fault.h - what a terminal or its network can be made to do wrong. */
#ifndef LAB_TERMINAL_FAULT_H
#define LAB_TERMINAL_FAULT_H

#include <stdio.h>

#include "lab/util.h"

enum { FAULT_LIST_MAX = 16 };

/* Ordinals count from 1. */
struct fault_list {
    unsigned long at[FAULT_LIST_MAX];
    size_t n;
};

struct terminal_faults {
    unsigned long no_service_at; /* 0: never; 1: from the start */
    bool refuse_open;
    uint8_t refuse_result, refuse_info;
    bool refuse_has_info;
    struct fault_list drop_datagram, lose_response, nonsense, reset_at, busy_command;
    unsigned long close_after;  /* octets on one channel; 0: never */
    unsigned long close_times;  /* left of them; 0: always */
    unsigned long late_ms;      /* each TERMINAL RESPONSE */
    unsigned long small_buffer; /* octets; 0: as asked */
    unsigned long slow;         /* octets a second; 0: as fast as it goes */
    bool plain_receive;
    bool cut_datagram;
    bool random;    /* from the state below */
    uint64_t state; /* never 0 */
};

void faults_init(struct terminal_faults *f);

/* One rule as the command line has it: NAME, NAME=VALUE or NAME@N. */
int faults_add(struct terminal_faults *f, const char *rule, struct lab_error *e);

/* A line a rule. */
void faults_help(FILE *out);

/* Is it the n-th one's turn?  Where faults are random, one of one_of is. */
bool faults_hit(struct terminal_faults *f, const struct fault_list *list, unsigned long n,
                unsigned one_of);

/* Is a channel that carried so many octets closed now? */
bool faults_close(struct terminal_faults *f, uint64_t carried);

/* A number below n, from the seed. */
uint32_t faults_random(struct terminal_faults *f, uint32_t n);

#endif
