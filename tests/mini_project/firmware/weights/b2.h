#ifndef B2_H_
#define B2_H_

#ifndef __SYNTHESIS__
bias2_t b2[2];
#else
bias2_t b2[2] = {0.25000, -0.12500};

#endif

#endif
