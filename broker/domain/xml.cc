// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/domain/xml.h"

#include <libxml/parser.h>
#include <libxml/xmlerror.h>
#include <libxml/xmlstring.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "broker/base/limits.h"
#include "broker/base/text.h"

namespace openhook::domain {

namespace {

std::string_view View(const xmlChar* text) {
  return text == nullptr ? std::string_view()
                         : std::string_view(reinterpret_cast<const char*>(text));
}

// Builds the tree from the parser's events, so that every limit is checked while the text is read,
// and not after the library has made its own tree of it.
class TreeBuilder {
 public:
  TreeBuilder(xmlParserCtxtPtr parser, std::string_view text) : parser_(parser), text_(text) {}

  void Open(Element element) {
    // The parser is at the end of the start tag, and a tag has no other '<' than its first byte.
    element.text_begin = text_.rfind('<', Position());
    ++elements_;
    attributes_ += element.attributes.size();
    if (elements_ > limits::kMaxXmlElements || attributes_ > limits::kMaxXmlAttributes) {
      return Stop(ErrorCode::kLimit, "it has more elements or attributes than any machine needs");
    }
    if (open_.size() >= limits::kMaxXmlDepth) {
      return Stop(ErrorCode::kLimit,
                  "its elements are nested deeper than " + std::to_string(limits::kMaxXmlDepth));
    }
    // Only ancestors are on the stack, and what grows is the vector of a child: no pointer moves.
    Element* place = &root_;
    if (!open_.empty()) {
      open_.back()->children.push_back(std::move(element));
      place = &open_.back()->children.back();
    } else {
      root_ = std::move(element);
    }
    open_.push_back(place);
  }
  void Close() {
    if (!open_.empty()) {
      open_.back()->text_end = Position();
      open_.pop_back();
    }
  }
  void AddText(std::string_view text) {
    if (!open_.empty()) {
      open_.back()->text += text;
    }
  }
  // The first reason counts: what follows it comes from stopping.
  void Stop(ErrorCode code, std::string reason) {
    Note(code, std::move(reason));
    xmlStopParser(parser_);
  }
  void Note(ErrorCode code, std::string reason) {
    if (!error_) {
      const int line = parser_->input == nullptr ? 0 : parser_->input->line;
      error_ = Error{
          code, 0,
          "the definition cannot be read: line " + std::to_string(line) + ": " + std::move(reason)};
    }
  }

  Result<Element> Finish() {
    if (error_) {
      return tl::make_unexpected(std::move(*error_));
    }
    return std::move(root_);
  }

 private:
  // What the parser has read: it converts nothing, so its bytes are those of the text.
  [[nodiscard]] std::size_t Position() const {
    return static_cast<std::size_t>(std::max(xmlByteConsumed(parser_), 0L));
  }

  xmlParserCtxtPtr parser_;
  std::string_view text_;
  Element root_;
  std::vector<Element*> open_;
  std::size_t elements_ = 0;
  std::size_t attributes_ = 0;
  std::optional<Error> error_;
};

TreeBuilder* Builder(void* context) {
  return static_cast<TreeBuilder*>(static_cast<xmlParserCtxtPtr>(context)->_private);
}

// The callbacks are noexcept: an exception must not cross the C library. What can be thrown is a
// lack of memory, and then the process ends, which its parent reports.
void OnStart(void* context, const xmlChar* name, const xmlChar* /*prefix*/, const xmlChar* uri,
             int /*namespace_count*/, const xmlChar** /*namespaces*/, int attribute_count,
             int /*defaulted*/, const xmlChar** attributes) noexcept {
  Element element;
  element.name = View(name);
  element.namespace_uri = View(uri);
  constexpr int kFields = 5;  // name, prefix, URI, begin and end of the value
  for (int i = 0; i < attribute_count; ++i) {
    const xmlChar** fields = attributes + static_cast<std::ptrdiff_t>(i) * kFields;
    if (fields[2] != nullptr) {
      continue;  // none of libvirt's attributes has a namespace
    }
    element.attributes.emplace_back(View(fields[0]),
                                    std::string(reinterpret_cast<const char*>(fields[3]),
                                                reinterpret_cast<const char*>(fields[4])));
  }
  Builder(context)->Open(std::move(element));
}

void OnEnd(void* context, const xmlChar* /*name*/, const xmlChar* /*prefix*/,
           const xmlChar* /*uri*/) noexcept {
  Builder(context)->Close();
}

void OnText(void* context, const xmlChar* text, int length) noexcept {
  Builder(context)->AddText(
      {reinterpret_cast<const char*>(text), static_cast<std::size_t>(length)});
}

void OnDoctype(void* context, const xmlChar* /*name*/, const xmlChar* /*external*/,
               const xmlChar* /*system*/) noexcept {
  Builder(context)->Stop(ErrorCode::kCorrupt,
                         "it has a document type (DOCTYPE), which could define entities; no "
                         "libvirt definition has one");
}

void OnError(void* context, xmlErrorPtr error) noexcept {
  if (error->level < XML_ERR_ERROR) {
    return;
  }
  std::string_view message = error->message == nullptr ? "" : error->message;
  message = message.substr(0, message.find('\n'));
  // The message may repeat bytes of the text.
  Builder(context)->Note(ErrorCode::kCorrupt, OneLine(message));
}

void Install(xmlParserCtxtPtr parser) {
  *parser->sax = xmlSAXHandler{};
  parser->sax->initialized = XML_SAX2_MAGIC;
  parser->sax->startElementNs = OnStart;
  parser->sax->endElementNs = OnEnd;
  parser->sax->characters = OnText;
  parser->sax->cdataBlock = OnText;
  parser->sax->internalSubset = OnDoctype;
  parser->sax->serror = OnError;
}

Result<void> CheckBytes(std::string_view text) {
  if (text.size() > limits::kMaxDomainXml) {
    return Fail(ErrorCode::kLimit, "the definition is longer than " +
                                       std::to_string(limits::kMaxDomainXml >> 20) + " MiB");
  }
  if (text.empty()) {
    return Fail(ErrorCode::kCorrupt, "the definition is empty");
  }
  if (text.find('\0') != std::string_view::npos) {
    return Fail(ErrorCode::kCorrupt,
                "the definition cannot be read: it has a NUL byte; only UTF-8 is understood");
  }
  // Whatever encoding it declares: libvirt writes UTF-8, and converters would open files.
  const std::string terminated(text);
  if (xmlCheckUTF8(reinterpret_cast<const xmlChar*>(terminated.c_str())) == 0) {
    return Fail(ErrorCode::kCorrupt, "the definition cannot be read: it is not UTF-8");
  }
  return {};
}

}  // namespace

Result<Element> ParseXml(std::string_view text) {
  if (auto checked = CheckBytes(text); !checked) {
    return tl::make_unexpected(checked.error());
  }
  const std::unique_ptr<xmlParserCtxt, void (*)(xmlParserCtxtPtr)> parser(xmlNewParserCtxt(),
                                                                          xmlFreeParserCtxt);
  if (parser == nullptr) {
    return FailErrno(ENOMEM, "cannot make an XML parser");
  }
  TreeBuilder builder(parser.get(), text);
  parser->_private = &builder;
  Install(parser.get());
  // In this mode the library makes no tree, and returns none. NOENT: the five predefined entities
  // of attributes arrive as what they stand for; there are no others without a document type.
  xmlDocPtr none =
      xmlCtxtReadMemory(parser.get(), text.data(), static_cast<int>(text.size()), nullptr, "UTF-8",
                        XML_PARSE_NONET | XML_PARSE_NOENT | XML_PARSE_IGNORE_ENC);
  xmlFreeDoc(none);
  if (parser->wellFormed == 0) {
    builder.Note(ErrorCode::kCorrupt, "it is not well-formed XML");
  }
  return builder.Finish();
}

}  // namespace openhook::domain
