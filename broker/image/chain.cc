// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/image/chain.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "broker/base/limits.h"
#include "broker/base/text.h"
#include "broker/image/backing_name.h"
#include "broker/image/probe.h"

namespace openhook::image {

namespace {

// What is known of the next image before it is opened.
struct Step {
  BackingLayer layer;
  std::string who;  // "backing file 'b' of 'a'", for messages
};

Error Explain(const std::string& who, Error error) {
  error.context = who + ": " + error.context;
  return error;
}

class ChainWalker {
 public:
  ChainWalker(MemberOpener& opener, Reach reach) : opener_(opener), reach_(reach) {}

  Result<Chain> Walk(std::string_view image, std::optional<Format> declared) {
    chain_.image_format = declared ? FormatSource::kDeclared : FormatSource::kProbed;
    std::optional<Step> step = Step{.layer = {}, .who = "image " + Quote(image)};
    step->layer.target.name = image;
    step->layer.format = declared;
    for (; step; ++depth_) {
      auto next = Visit(*step);
      if (!next) {
        return tl::make_unexpected(next.error());
      }
      step = std::move(*next);
    }
    return std::move(chain_);
  }

 private:
  // Takes up one image with its data file, and says what is below it.
  Result<std::optional<Step>> Visit(const Step& step) {
    if (depth_ == limits::kMaxChainDepth) {
      return Fail(ErrorCode::kLimit,
                  step.who + ": the chain is more than " + std::to_string(depth_) +
                      " images deep; shorten it with qemu-img commit or qemu-img rebase");
    }
    NoteSpelling(step.who, step.layer.target);
    if (step.layer.target.kind == TargetKind::kNetwork) {
      NoteNetwork(step);
      return std::nullopt;
    }
    auto opened = Open(step.who, step.layer.target.name);
    if (!opened) {
      return tl::make_unexpected(opened.error());
    }
    auto header = ReadSlice(*opened->bytes, step.layer);
    if (!header) {
      return tl::make_unexpected(Explain(step.who, header.error()));
    }
    NoteProbe(step, header->format);
    Add(step.layer.target.name, std::move(*opened), header->format,
        depth_ == 0 ? MemberRole::kImage : MemberRole::kBacking);
    if (auto added = AddDataFile(step, *header); !added) {
      return tl::make_unexpected(added.error());
    }
    for (const ExtentReference& extent : header->extents) {
      if (auto added = AddExtent(step, extent); !added) {
        return tl::make_unexpected(added.error());
      }
    }
    return Next(step, *header);
  }

  static Result<Header> ReadSlice(const ByteSource& bytes, const BackingLayer& layer) {
    if (layer.slice.IsWhole()) {
      return ReadHeader(bytes, layer.format, layer.target.name);
    }
    const SliceSource slice(bytes, layer.slice.begin, layer.slice.size);
    return ReadHeader(slice, layer.format, layer.target.name);
  }

  // Opens a member and makes sure that it is a disk, and not yet part of the chain.
  Result<OpenedMember> Open(const std::string& who, const std::string& name) {
    auto opened = opener_.Open(name);
    if (!opened && opened.error().code == ErrorCode::kNotFound) {
      return Fail(ErrorCode::kNotFound,
                  who + " does not exist" +
                      (name.starts_with('/') ? "" : " (searched from the working directory)"));
    }
    if (!opened) {
      return tl::make_unexpected(Explain(who + " cannot be opened", opened.error()));
    }
    if (opened->identity.kind == MemberKind::kOther || opened->bytes == nullptr) {
      return Fail(ErrorCode::kInvalidArgument,
                  who + " is neither a regular file nor a block device");
    }
    if (auto fresh = RefuseRepetition(who, opened->identity); !fresh) {
      return tl::make_unexpected(fresh.error());
    }
    return opened;
  }

  [[nodiscard]] Result<void> RefuseRepetition(const std::string& who,
                                              const MemberIdentity& identity) const {
    const auto same =
        std::find_if(chain_.members.begin(), chain_.members.end(),
                     [&](const ChainMember& member) { return member.identity == identity; });
    if (same == chain_.members.end()) {
      return {};
    }
    return Fail(ErrorCode::kConflict,
                who + " is the same file as " + Quote(same->name) + " (" +
                    std::string(ToString(same->role)) + ", depth " + std::to_string(same->depth) +
                    "): the chain is a loop, or two of its images share a file; correct the name "
                    "with qemu-img rebase -u or amend, or in the descriptor");
  }

  void Add(std::string name, OpenedMember opened, Format format, MemberRole role) {
    chain_.members.push_back(
        ChainMember{.name = std::move(name),
                    .path = std::move(opened.path),
                    .identity = opened.identity,
                    .format = format,
                    .role = role,
                    .depth = depth_,
                    .access = depth_ == 0 ? MemberAccess::kReadWrite : MemberAccess::kRead});
  }

  Result<void> AddDataFile(const Step& step, const Header& header) {
    if (!header.data_file) {
      return {};
    }
    const std::string& stored = header.data_file->name;
    const std::string who = "data file of " + step.who;
    // A json: name may give another file than the header, and QEMU then opens that one.
    const Result<Target> target =
        step.layer.data_file ? Result<Target>(*step.layer.data_file) : ParseDataFileName(stored);
    if (!target) {
      return tl::make_unexpected(Explain(who, target.error()));
    }
    if (target->kind == TargetKind::kNetwork) {
      chain_.network.push_back({.name = target->name, .depth = depth_});
      return {};
    }
    NoteSpelling("data file " + Quote(target->name) + " of " + step.who, *target);
    auto opened = Open("data file " + Quote(target->name) + " of " + step.who, target->name);
    if (!opened) {
      return tl::make_unexpected(opened.error());
    }
    Add(target->name, std::move(*opened), Format::kRaw, MemberRole::kDataFile);
    return {};
  }

  Result<void> AddExtent(const Step& step, const ExtentReference& extent) {
    if (++extents_ > limits::kMaxChainExtents) {
      return Fail(ErrorCode::kLimit,
                  step.who + ": the chain has more than " +
                      std::to_string(limits::kMaxChainExtents) +
                      " extents; convert the image with qemu-img convert -O qcow2");
    }
    const auto target = ParseExtentName(extent.name, step.layer.target.name);
    if (!target) {
      return tl::make_unexpected(Explain("extent of " + step.who, target.error()));
    }
    const std::string who = "extent " + Quote(target->name) + " of " + step.who;
    NoteSpelling(who, *target);
    if (target->kind == TargetKind::kNetwork) {
      chain_.network.push_back({.name = target->name, .depth = depth_});
      return {};
    }
    auto opened = Open(who, target->name);
    if (!opened) {
      return tl::make_unexpected(opened.error());
    }
    if (auto checked = CheckExtent(*opened->bytes, extent.format); !checked) {
      return tl::make_unexpected(Explain(who, checked.error()));
    }
    Add(target->name, std::move(*opened), extent.format, MemberRole::kExtent);
    return {};
  }

  Result<std::optional<Step>> Next(const Step& step, const Header& header) {
    if (step.layer.below == Below::kNothing || reach_ == Reach::kImageAlone) {
      return std::nullopt;
    }
    if (step.layer.below == Below::kAsItsHeaderSays) {
      if (!header.backing) {
        return std::nullopt;
      }
      if (auto described = Describe(step, *header.backing); !described) {
        return tl::make_unexpected(described.error());
      }
    }
    Step next{.layer = std::move(described_.front()), .who = {}};
    described_.pop_front();
    next.who =
        "backing file " + Quote(next.layer.target.name) + " of " + Quote(step.layer.target.name);
    if (auto format = SettleFormat(step, header, next); !format) {
      return tl::make_unexpected(format.error());
    }
    return next;
  }

  Result<void> Describe(const Step& step, const BackingReference& backing) {
    auto layers = ParseBackingName(backing.name, step.layer.target.name);
    if (!layers) {
      return tl::make_unexpected(Explain("the backing file of " + step.who, layers.error()));
    }
    described_.assign(std::move_iterator(layers->begin()), std::move_iterator(layers->end()));
    return {};
  }

  // The header of the image above may declare a format, and so may a json: name. Over its own
  // json: name the header wins in QEMU, so there the two must not differ; over a layer that a
  // json: name further up describes it does not.
  static Result<void> SettleFormat(const Step& above, const Header& header, Step& next) {
    std::optional<Format>& format = next.layer.format;
    const bool is_own_name = above.layer.below == Below::kAsItsHeaderSays;
    if (header.backing && header.backing->format && (is_own_name || !format)) {
      const auto declared = ParseFormat(*header.backing->format);
      if (!declared) {
        return tl::make_unexpected(Explain(next.who, declared.error()));
      }
      const std::string& wrapper = next.layer.wrapper;
      const std::string outer(wrapper.empty() ? ToString(format.value_or(*declared)) : wrapper);
      if (outer != ToString(*declared)) {
        return Fail(ErrorCode::kInvalidArgument, next.who + ": the header declares the format " +
                                                     std::string(ToString(*declared)) +
                                                     ", its json: name " + outer);
      }
      format = wrapper.empty() ? *declared : format;
    }
    return format ? Result<void>{} : RefuseUndeclared(above, header, next);
  }

  static tl::unexpected<Error> RefuseUndeclared(const Step& above, const Header& header,
                                                const Step& next) {
    const std::string image = Quote(above.layer.target.name);
    if (header.format == Format::kQed || header.format == Format::kQcow) {
      return Fail(ErrorCode::kInvalidArgument,
                  next.who + " has no declared format, and " +
                      (header.format == Format::kQed ? "qed can declare none but raw"
                                                     : "qcow can declare none") +
                      "; convert " + image +
                      " to qcow2 and declare it there: qemu-img create -f qcow2 -F FORMAT");
    }
    const std::string name = Quote(header.backing ? header.backing->name : next.layer.target.name);
    return Fail(ErrorCode::kInvalidArgument,
                next.who +
                    " has no declared format, and a guest can make a raw disk look like "
                    "another; declare it: qemu-img rebase -u -F FORMAT -b " +
                    name + " " + image);
  }

  void NoteProbe(const Step& step, Format format) {
    if (!step.layer.format) {
      chain_.warnings.push_back(step.who + ": no format was declared; its first bytes say " +
                                std::string(ToString(format)) +
                                ". A guest can write such bytes onto a raw disk: declare it with "
                                "--format");
    }
  }

  void NoteSpelling(const std::string& who, const Target& target) {
    if (target.kind == TargetKind::kFile && target.relative_to == RelativeTo::kWorkingDirectory) {
      chain_.warnings.push_back(who + ": QEMU looks for " + Quote(target.name) +
                                " in its working directory, not beside the image; store an "
                                "absolute path");
    }
  }

  void NoteNetwork(const Step& step) {
    chain_.network.push_back({.name = step.layer.target.name, .depth = depth_});
    if (step.layer.format != Format::kRaw) {
      chain_.warnings.push_back(step.who +
                                " is on the network and was not read: files that it names "
                                "itself are not in this list");
    }
  }

  MemberOpener& opener_;
  const Reach reach_;
  Chain chain_;
  std::size_t depth_ = 0;
  std::size_t extents_ = 0;             // of all images so far
  std::deque<BackingLayer> described_;  // layers that a json: name has already described
};

}  // namespace

std::string_view ToString(MemberRole role) {
  switch (role) {
    case MemberRole::kImage:
      return "image";
    case MemberRole::kBacking:
      return "backing";
    case MemberRole::kDataFile:
      return "data-file";
    case MemberRole::kExtent:
      return "extent";
  }
  return "unknown";
}

std::string_view ToString(MemberAccess access) {
  return access == MemberAccess::kReadWrite ? "read-write" : "read";
}

Result<Chain> WalkChain(MemberOpener& opener, std::string_view image,
                        std::optional<Format> declared, Reach reach) {
  return ChainWalker(opener, reach).Walk(image, declared);
}

}  // namespace openhook::image
