// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/chain/read_chain.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>

#include "broker/chain/reader_process.h"
#include "broker/chain/reader_server.h"

namespace openhook::chain {

namespace {

Result<std::string> WorkingDirectory() {
  std::array<char, PATH_MAX> buffer{};
  if (::getcwd(buffer.data(), buffer.size()) == nullptr) {
    return FailErrno(errno, "cannot tell the working directory; name the image from '/' on");
  }
  return std::string(buffer.data());
}

Result<std::optional<image::Format>> ParseDeclared(const std::string& format) {
  if (format.empty()) {
    return std::optional<image::Format>();
  }
  const Result<image::Format> parsed = image::ParseFormat(format);
  if (!parsed) {
    return tl::make_unexpected(parsed.error());
  }
  return std::optional<image::Format>(*parsed);
}

}  // namespace

Result<ReadChain> ReadChainOf(const std::string& image, const std::string& format,
                              image::Reach reach) {
  Result<std::string> cwd = WorkingDirectory();
  if (!cwd) {
    return tl::make_unexpected(std::move(cwd).error());
  }
  const Result<std::optional<image::Format>> declared = ParseDeclared(format);
  if (!declared) {
    return tl::make_unexpected(declared.error());
  }
  PathOpener opener(std::move(*cwd));
  Result<ReaderProcess> reader = ReaderProcess::Start(image, *declared, reach);
  if (!reader) {
    return tl::make_unexpected(std::move(reader).error());
  }
  Result<image::Chain> chain = ReaderServer(&opener, reader->channel()).Serve();
  if (!chain) {
    return tl::make_unexpected(std::move(chain).error());
  }
  return ReadChain{std::move(*chain), std::move(opener)};
}

}  // namespace openhook::chain
