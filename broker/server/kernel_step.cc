// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/kernel_step.h"

#include <utility>

#include "broker/server/broker.h"

namespace openhook::server {

void ChangeInStep(Broker* broker, const std::function<Result<whitelist::Change>()>& preview,
                  std::function<bool(const Result<void>& widened)> commit,
                  KernelStep::Settled done) {
  KernelStep* kernel = broker->kernel_step();
  if (kernel == nullptr) {
    (void)commit({});
    return done({});
  }
  kernel->Widen(preview().value_or(whitelist::Change()),
                [kernel, commit = std::move(commit),
                 done = std::move(done)](Result<std::shared_ptr<Widening>> widened) {
                  const bool changed =
                      commit(widened ? Result<void>() : tl::make_unexpected(widened.error()));
                  // From here on the whitelist gives it, or nobody does.
                  if (widened) {
                    widened->reset();
                  }
                  if (changed) {
                    return kernel->Settle(done);
                  }
                  kernel->Follow();
                  done({});
                });
}

}  // namespace openhook::server
