// Diagnosis: what emendd sees of its workers and its store, and what each group says of itself,
// with what to do about what is wrong. For `emend doctor`.
#pragma once

#include "coordinator/core/store_layout.h"
#include "coordinator/server/service.h"

namespace emend::coordinator::server {

// Every group that serves is asked at once, half a minute at most; one that does not answer is a
// line of the advice. Used on the executor; `runtime`, `workers` and `layout` outlive it.
Awaitable<Diagnosis> Diagnose(Runtime& runtime, membership::WorkerPool& workers,
                              const core::StoreLayout& layout);

// What is wrong with workers and disk as emendd sees them, the worst first. A pure function.
std::vector<worker::protocol::ProbeAdvice> AdviseOnWorkers(
    const std::vector<membership::WorkerInfo>& workers, std::uint64_t disk_free_bytes);

}  // namespace emend::coordinator::server
