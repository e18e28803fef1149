// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Events as structured journal entries: `journalctl OPENHOOK_VM=UUID` shows one VM's, with the
// fields OPENHOOK_OPERATION, _VERDICT, _PATH, _RULE, _REMEDY, _LEASES beside a readable message.

#ifndef BROKER_AUDIT_JOURNAL_H_
#define BROKER_AUDIT_JOURNAL_H_

#include <memory>
#include <string>

#include "broker/audit/audit_log.h"

namespace openhook::audit {

// The readable line, for the journal and for standard error.
std::string ToSentence(const Event& event);

// Where no journal runs, entries go nowhere; the JSON lines are still written.
std::unique_ptr<Sink> MakeJournalSink(const std::string& vm);

}  // namespace openhook::audit

#endif  // BROKER_AUDIT_JOURNAL_H_
