#ifndef B4_H_
#define B4_H_

#ifndef __SYNTHESIS__
bias4_t b4[2];
#else
bias4_t b4[2] = {-0.50000, 0.15625};

#endif

#endif
