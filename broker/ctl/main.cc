// SPDX-License-Identifier: LGPL-2.1-or-later

#include <iostream>

#include "broker/ctl/app.h"

int main(int argc, char** argv) { return openhook::ctl::RunApp(argc, argv, std::cout, std::cerr); }
