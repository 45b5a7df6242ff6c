/* demo_profiles.h - two of our profile packages in the program; lab/demo_profiles.py writes the C
 * file at build time. */
#ifndef LAB_DEMO_PROFILES_H
#define LAB_DEMO_PROFILES_H

#include <stddef.h>
#include <stdint.h>

struct demo_profile {
    const uint8_t *p;
    size_t n;
};

extern const struct demo_profile demo_bootstrap, demo_operational;

#endif
