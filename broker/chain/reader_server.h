// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The parent of a reader of headers: opens members, hands out bytes, and takes the chain that the
// reader makes of them. The reader may have been broken by what it read, so the chain consists of
// nothing but files that were opened for it, under the names it asked for, within the limits.

#ifndef BROKER_CHAIN_READER_SERVER_H_
#define BROKER_CHAIN_READER_SERVER_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "broker/base/result.h"
#include "broker/chain/reader_channel.h"
#include "broker/image/chain.h"

namespace openhook::chain {

class ReaderServer {
 public:
  ReaderServer(image::MemberOpener* opener, ReaderChannel* reader)
      : opener_(opener), reader_(reader) {}

  // Until the reader is done. Errors: those of image::WalkChain() in the reader; kCorrupt when the
  // reader ends before, says what it may not, or what makes no sense.
  Result<image::Chain> Serve();

 private:
  struct Opened {
    CanonicalPath path;
    image::MemberIdentity identity;
  };

  Result<void> Take(const proto::ReaderSays& said);
  Result<void> Open(const std::string& spelling);
  Result<void> Read(const proto::ReaderBytes& wanted);
  Result<void> AddMember(const proto::ReaderMember& said);
  Result<void> AddNetworkMember(const proto::ReaderNetworkMember& said);
  Result<void> AddWarning(const std::string& warning);
  Result<void> Refuse(const Error& error);

  image::MemberOpener* opener_;
  ReaderChannel* reader_;
  std::map<std::string, Opened> opened_;  // by spelling
  std::map<std::uint32_t, std::unique_ptr<image::ByteSource>> bytes_;
  std::size_t opens_ = 0;
  image::Chain chain_;
};

}  // namespace openhook::chain

#endif  // BROKER_CHAIN_READER_SERVER_H_
