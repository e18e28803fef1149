// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/image/flat_json.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "broker/base/text.h"

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
  bool number_unsigned(number_unsigned_t) override { return Put(JsonOther{}); }
  bool number_float(number_float_t, const string_t&) override { return Put(JsonOther{}); }
  bool binary(binary_t&) override { return Put(JsonOther{}); }
  bool string(string_t& text) override {
    if (text.find('\0') != string_t::npos) {
      return Stop("it has a NUL byte in " + Quote(text));
    }
    return array_depth_ > 0 ? Put(JsonOther{}) : Put(std::move(text));
  }

  bool start_object(std::size_t) override {
    if (array_depth_ > 0) {
      return Stop("it has an object within an array");
    }
    if (prefixes_.size() == kMaxNesting) {
      return Stop("it nests deeper than 64 levels");
    }
    prefixes_.push_back(prefixes_.empty() ? "" : key_ + ".");
    return true;
  }
  bool key(string_t& name) override {
    key_ = prefixes_.back() + name;
    return true;
  }
  bool end_object() override {
    prefixes_.pop_back();
    return true;
  }

  // An array is entered without a key of its own for each element: it names no file.
  bool start_array(std::size_t) override {
    if (prefixes_.empty()) {
      return Stop("it is not an object");
    }
    return ++array_depth_ <= kMaxNesting || Stop("it nests deeper than 64 levels");
  }
  bool end_array() override {
    --array_depth_;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::json::exception&) override {
    return Stop("it is not JSON from byte " + std::to_string(position) +
                " on (QEMU's single quotes are not JSON either)");
  }

  Result<FlatJson> Finish(bool complete) && {
    if (!complete) {
      return Fail(ErrorCode::kInvalidArgument, fault_);
    }
    return std::move(values_);
  }

 private:
  bool Put(FlatValue value) {
    if (prefixes_.empty()) {
      return Stop("it is not an object");
    }
    if (array_depth_ > 0) {
      return true;
    }
    return values_.emplace(key_, std::move(value)).second ||
           Stop("it gives " + Quote(key_) + " twice");
  }
  bool Stop(std::string why) {
    fault_ = std::move(why);
    return false;
  }

  FlatJson values_;
  std::vector<std::string> prefixes_;  // one for each object that is open
  std::string key_;
  std::size_t array_depth_ = 0;
  std::string fault_;
};
// NOLINTEND(readability-identifier-naming)

}  // namespace

Result<FlatJson> ParseFlatJson(std::string_view text) {
  Flattener flattener;
  const bool complete = nlohmann::json::sax_parse(text.begin(), text.end(), &flattener);
  return std::move(flattener).Finish(complete);
}

}  // namespace openhook::image
