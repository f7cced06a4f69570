// The table of operation kinds: each is a file of this folder, and a row of Kinds().
#pragma once

#include "coordinator/jobs/operation_kind.h"

namespace emend::coordinator::operations {

jobs::OperationKinds Kinds();

}  // namespace emend::coordinator::operations
