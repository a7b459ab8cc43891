/* SPDX-License-Identifier: MIT
 * Capability names for the options of other bindings.
 */
#ifndef LUABOX_BINDING_CAPABILITY_H
#define LUABOX_BINDING_CAPABILITY_H

#include "binding/binding.h"

/* For BOX_FLAGS into a mask: "chown", "-chown" takes it away again, "all", "default". */
extern const struct box_name box_capability_names[];

#endif
