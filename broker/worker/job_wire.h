// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Jobs and their results as bytes, between a broker and its worker processes (proto/worker.proto).

#ifndef BROKER_WORKER_JOB_WIRE_H_
#define BROKER_WORKER_JOB_WIRE_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "broker/worker/chain_job.h"
#include "broker/worker/file_job.h"
#include "broker/worker/pin_job.h"
#include "broker/worker/process.h"

namespace openhook::worker {

std::string Encode(const FileJob& job);
std::string Encode(const PinJob& job);
std::string Encode(const ChainJob& job);

// The worker's side: reads a job, does it, and packs the result.
Product PerformEncoded(std::span<const std::uint8_t> job);

// Errors: kCorrupt for bytes that are no such result; the job's own error.
FileResult DecodeFileResult(std::string_view bytes);
Result<std::vector<Pinned>> DecodePinResult(std::string_view bytes);
Result<proto::GrantRequest> DecodeChainResult(std::string_view bytes);

}  // namespace openhook::worker

#endif  // BROKER_WORKER_JOB_WIRE_H_
