// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Changes that wait for the kernel. What a change gives is in the kernel before it is in the
// whitelist, so nothing is handed out that the kernel would stop; what it takes is out of the
// whitelist first, and acknowledged when it is out of the kernel too. Without a security module
// to be kept in step, a change is made at once.

#ifndef BROKER_SERVER_KERNEL_STEP_H_
#define BROKER_SERVER_KERNEL_STEP_H_

#include <functional>
#include <memory>

#include "broker/base/result.h"
#include "broker/whitelist/whitelist.h"

namespace openhook::server {

class Broker;

// Access that the kernel gives beside the whitelist's, as long as the object lives.
class Widening {
 public:
  virtual ~Widening() = default;
};

class KernelStep {
 public:
  virtual ~KernelStep() = default;

  // Calls `done`, perhaps before it returns, when the kernel gives what `change` adds; or with the
  // error, and the kernel gives what it did before.
  using Widened = std::function<void(Result<std::shared_ptr<Widening>>)>;
  virtual void Widen(const whitelist::Change& change, Widened done) = 0;

  // The same, when the kernel gives just what the whitelist of this moment does, and what is being
  // widened.
  using Settled = std::function<void(Result<void>)>;
  virtual void Settle(Settled done) = 0;

  // The kernel refuses what it should give: another program has loaded something else, perhaps. As
  // Settle(), after it was given all of it again. Errors also: kUnavailable when that was done a
  // moment ago, so that whoever asks again and again does not have it done each time.
  virtual void Restore(Settled done) = 0;

  // The whitelist has changed, and nobody waits for the kernel.
  virtual void Follow() = 0;
};

// Makes one change. `preview` tells what it would add to the whitelist of this moment; an error of
// it is left for `commit` to find. `commit` is called with the kernel's answer to that: after an
// error it has to refuse. It returns false when it changed nothing. `done` is called last, with an
// error when the change is made but the kernel does not follow.
void ChangeInStep(Broker* broker, const std::function<Result<whitelist::Change>()>& preview,
                  std::function<bool(const Result<void>& widened)> commit,
                  KernelStep::Settled done);

}  // namespace openhook::server

#endif  // BROKER_SERVER_KERNEL_STEP_H_
