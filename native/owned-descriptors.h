/* The descriptors that belong to one environment. The end of the environment closes the remaining ones. */
#ifndef SEQPACKET_OWNED_DESCRIPTORS_H
#define SEQPACKET_OWNED_DESCRIPTORS_H

#include "instance.h"

void own_descriptor(struct instance *instance, int fd);
void disown_descriptor(struct instance *instance, int fd);
void close_owned_descriptors(struct instance *instance);

#endif
