#ifndef W4_H_
#define W4_H_

#ifndef __SYNTHESIS__
weight4_t w4[4];
#else
weight4_t w4[4] = {0.53125, -0.75000, 0.90625, 0.37500};

#endif

#endif
