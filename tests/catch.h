// The one place that names Catch2, so that going from 2 to 3 touches nothing else.
#pragma once
#include <catch2/catch.hpp>
