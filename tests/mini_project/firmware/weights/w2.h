#ifndef W2_H_
#define W2_H_

#ifndef __SYNTHESIS__
weight2_t w2[6];
#else
weight2_t w2[6] = {0.50000, -0.25000, 0.75000, 0.96875, -0.50000, 0.12500};

#endif

#endif
