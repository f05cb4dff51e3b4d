"""Where there are products in bfloat16."""

import pytest

from fastmlp.engine import core

needs_bfloat16 = pytest.mark.skipif(not core.has_bfloat16(), reason="this processor has no AVX512_BF16")
