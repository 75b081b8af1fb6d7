// All tests in one process: the files are made once.

import './dashboards.test.ts';
import './generated.test.ts';
import './names.test.ts';
import './rules.test.ts';
