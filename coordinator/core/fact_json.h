// A fact as JSON, as requests hold it and as the API shows it. Pure functions.
#pragma once

#include <string>

#include "storage/objects/fact.h"

namespace emend::coordinator::core {

// Canonical field order; empty fields left out.
std::string FactToJson(const storage::objects::Fact& fact);

}  // namespace emend::coordinator::core
