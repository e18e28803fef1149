// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/image/flat_json.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "broker/base/text.h"
#include "broker/image/double_quoted.h"

namespace openhook::image {

namespace {

constexpr std::size_t kMaxNesting = 64;

// The events of nlohmann's SAX interface, whose names are the library's. Returning false stops the
// parser; fault_ then says why.
// NOLINTBEGIN(readability-identifier-naming)
class Flattener final : public nlohmann::json_sax<nlohmann::json> {
 public:
  bool null() override { return Put(JsonNull{}); }
  bool boolean(bool) override { return Put(JsonOther{}); }
  bool number_integer(number_integer_t) override { return Put(JsonOther{}); }
  bool number_unsigned(number_unsigned_t number) override { return Put(std::uint64_t{number}); }
  bool number_float(number_float_t, const string_t&) override { return Put(JsonOther{}); }
  bool binary(binary_t&) override { return Put(JsonOther{}); }
  bool string(string_t& text) override {
    if (text.find('\0') != string_t::npos) {
      return Stop("it has a NUL byte in " + Quote(text));
    }
    return Put(std::move(text));
  }

  bool start_object(std::size_t) override { return Enter(Frame{.prefix = {}, .is_array = false}); }
  bool key(string_t& name) override {
    key_ = frames_.back().prefix + name;
    return true;
  }
  bool end_object() override {
    frames_.pop_back();
    return true;
  }
  bool start_array(std::size_t) override { return Enter(Frame{.prefix = {}, .is_array = true}); }
  bool end_array() override { return end_object(); }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::json::exception&) override {
    return Stop("it is not JSON from byte " + std::to_string(position) + " on");
  }

  Result<FlatJson> Finish(bool complete) && {
    if (!complete) {
      return Fail(ErrorCode::kInvalidArgument, fault_);
    }
    return std::move(values_);
  }

 private:
  // An object or an array that is open.
  struct Frame {
    std::string prefix;  // of the keys in it
    bool is_array;
    std::size_t next = 0;  // the index of an array's next element
  };

  // An element of an array has its index for a key.
  void NameElement() {
    if (!frames_.empty() && frames_.back().is_array) {
      key_ = frames_.back().prefix + std::to_string(frames_.back().next++);
    }
  }
  bool Enter(Frame frame) {
    if (frames_.empty() && frame.is_array) {
      return Stop("it is not an object");
    }
    if (frames_.size() == kMaxNesting) {
      return Stop("it nests deeper than 64 levels");
    }
    NameElement();
    frame.prefix = frames_.empty() ? "" : key_ + ".";
    frames_.push_back(std::move(frame));
    return true;
  }
  bool Put(FlatValue value) {
    if (frames_.empty()) {
      return Stop("it is not an object");
    }
    NameElement();
    return values_.emplace(key_, std::move(value)).second ||
           Stop("it gives " + Quote(key_) + " twice");
  }
  bool Stop(std::string why) {
    fault_ = std::move(why);
    return false;
  }

  FlatJson values_;
  std::vector<Frame> frames_;
  std::string key_;
  std::string fault_;
};
// NOLINTEND(readability-identifier-naming)

}  // namespace

Result<FlatJson> ParseFlatJson(std::string_view text) {
  Flattener flattener;
  const bool complete = nlohmann::json::sax_parse(DoubleQuoted(text), &flattener);
  return std::move(flattener).Finish(complete);
}

}  // namespace openhook::image
